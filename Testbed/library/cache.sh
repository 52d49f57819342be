# What an emulated host is made of, fetched and built once: kernel, ssh server, keys, initramfs. Sourced.
#
#   $cache/kernel/      boot/ and lib/modules/RELEASE/ of the kernel package, and a file `release`
#   $cache/server/      dropbear and its libraries
#   $cache/keys/        client and host key
#   $cache/initramfs-*  named by a digest of what is in it
#   $cache/emulator-*   a mended copy of QEMU, named by a digest of what it is made of

# Modules that the initramfs needs to reach the root file system and the network; all others load from there.
cache_early_modules=(virtio_pci 9pnet_virtio 9p overlay virtio_blk crc32c_generic ext4 virtio_net virtio_rng)

# Installs packages where it may, then fetches what goes into the cache.
cache_setup() {
  local missing
  missing=$(cache_missing)
  if [[ -n $missing ]]; then
    ((EUID == 0)) || die "these packages are missing: as root, run: apt-get install $missing"
    say "installing $missing"
    apt-get update -qq >&2 || true
    # shellcheck disable=SC2086 # a list of names
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >&2 ||
      die "cannot install $missing"
  fi
  cache_prepare
}

# The packages which are not there, judged by the programs that they bring.
cache_missing() {
  local missing=()
  command -v qemu-system-x86_64 >/dev/null || missing+=(qemu-system-x86)
  # The package `busybox` brings a dynamically linked one, which is no use in an initramfs.
  [[ -x /bin/busybox ]] && ! ldd /bin/busybox >/dev/null 2>&1 || missing+=(busybox-static)
  command -v cpio >/dev/null || missing+=(cpio)
  PATH=$PATH:/usr/sbin:/sbin command -v depmod >/dev/null || missing+=(kmod)
  PATH=$PATH:/usr/sbin:/sbin command -v mkfs.ext4 >/dev/null || missing+=(e2fsprogs)
  command -v ssh >/dev/null || missing+=(openssh-client)
  echo "${missing[*]}"
}

# Fills the cache. The caller need hold no lock: two may call this at once.
cache_prepare() {
  local missing lock
  missing=$(cache_missing)
  [[ -z $missing ]] || die "these packages are missing: $missing; run: Testbed/host setup"
  mkdir -p "$cache" && chmod 700 "$cache"
  exec {lock}>"$cache/lock"
  flock "$lock"
  [[ -f $cache/kernel/release ]] || cache_fetch_kernel
  # As kmod wants it, which busybox reads too; one that busybox made, kmod does not.
  [[ -f $cache/kernel/lib/modules/$(<"$cache/kernel/release")/modules.dep.bin ]] || cache_index_modules "$cache/kernel"
  [[ -x $cache/server/usr/sbin/dropbear ]] || cache_fetch_server
  [[ -f $cache/keys/host ]] || cache_make_keys
  cache_make_initramfs
  cache_make_emulator
  exec {lock}>&-
}

# Downloads packages into the directory $1 as files.
cache_download() {
  local directory=$1
  shift
  # apt's sandbox user cannot write into a private directory.
  (cd "$directory" && apt-get download -qq -o APT::Sandbox::User=root "$@") >&2 ||
    die "cannot download $*; is the package list there (apt-get update), and the network up?"
}

# The packages in which the running distribution ships its newest generic kernel with all modules.
cache_kernel_packages() {
  local image
  for meta in linux-image-amd64 linux-image-generic; do
    image=$(apt-cache depends "$meta" 2>/dev/null | sed -n 's/.*Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1)
    [[ -n $image ]] || continue
    echo "$image"
    # Ubuntu keeps the modules apart.
    [[ $meta == linux-image-amd64 ]] ||
      echo "${image/-image-/-modules-}" "${image/-image-/-modules-extra-}"
    return
  done
  return 1
}

cache_fetch_kernel() {
  local work packages file
  packages=$(cache_kernel_packages) || die "no package of a generic kernel is known; run apt-get update"
  say "fetching the emulated host's kernel: ${packages//$'\n'/ }"
  work=$(mktemp -d "$cache/kernel.XXXXXX")
  # shellcheck disable=SC2086 # a list of names
  cache_download "$work" $packages
  for file in "$work"/*.deb; do
    dpkg-deb --extract "$file" "$work"
    rm "$file"
  done
  [[ ! -d $work/usr/lib/modules ]] || mv -T "$work/usr/lib/modules" "$work/lib/modules"
  rm -rf "$work/usr"
  ls "$work/lib/modules" >"$work/release"
  cache_index_modules "$work"
  chmod 755 "$work"
  rm -rf "$cache/kernel"
  mv -T "$work" "$cache/kernel"
}

cache_index_modules() { PATH=$PATH:/usr/sbin:/sbin depmod -b "$1" "$(<"$1/release")"; }

cache_fetch_server() {
  local work file
  say "fetching the emulated host's ssh server"
  work=$(mktemp -d "$cache/server.XXXXXX")
  cache_download "$work" dropbear-bin libtomcrypt1 libtommath1 libgmp10
  for file in "$work"/*.deb; do
    dpkg-deb --extract "$file" "$work"
    rm "$file"
  done
  rm -rf "$cache/server"
  mv -T "$work" "$cache/server"
}

cache_make_keys() {
  local work
  work=$(mktemp -d "$cache/keys.XXXXXX")
  ssh-keygen -q -t ed25519 -N '' -C testbed -f "$work/client"
  cache_server_tool usr/bin/dropbearkey -t ed25519 -f "$work/host" >/dev/null 2>&1
  cache_server_tool usr/bin/dropbearkey -y -f "$work/host" | sed -n 's/^ssh-/testbed ssh-/p' >"$work/known"
  rm -rf "$cache/keys"
  mv -T "$work" "$cache/keys"
}

cache_server_tool() {
  local program=$1
  shift
  LD_LIBRARY_PATH=$(cache_server_libraries) "$cache/server/$program" "$@"
}

cache_server_libraries() { echo "$cache/server/usr/lib/x86_64-linux-gnu"; }

# Leaves the initramfs's path in `cache_initramfs`.
cache_make_initramfs() {
  local work release module
  release=$(<"$cache/kernel/release")
  cache_initramfs=$cache/initramfs-$(cat "$testbed"/guest/* "$testbed/library/cache.sh" "$cache/kernel/release" \
    "$cache"/keys/* /bin/busybox | sha256sum | cut -c 1-16)
  [[ ! -f $cache_initramfs ]] || { touch "$cache_initramfs" && return; }

  # Another checkout's Testbed may be about to use a recent one.
  find "$cache" -maxdepth 1 -name 'initramfs-*' -mtime +1 -delete
  work=$(mktemp -d "$cache/root.XXXXXX")
  mkdir -p "$work"/{bin,dev,proc,sys,system,fresh,upper,root,testbed/.ssh}
  cp /bin/busybox "$work/bin/"
  cp "$testbed"/guest/* "$work/testbed/"
  mv "$work/testbed/init" "$work/init"
  cp "$cache/keys/host" "$work/testbed/host-key"
  cp "$cache/keys/client.pub" "$work/testbed/.ssh/authorized_keys"
  # Modules, each after those that it needs.
  for module in "${cache_early_modules[@]}"; do
    cache_module_with_dependencies "$release" "$module"
  done | awk '!seen[$0]++' | while read -r module; do
    cp "$cache/kernel/lib/modules/$release/$module" "$work/testbed/"
    basename "$module" >>"$work/modules"
  done
  (cd "$work" && find . -print0 | cpio --null --create --quiet --format=newc --owner=0:0) >"$work.cpio"
  mv "$work.cpio" "$cache_initramfs"
  rm -rf "$work"
}

# Paths of a module's files, in the order of loading. A line of modules.dep is `file: nearest ... farthest`.
cache_module_with_dependencies() {
  awk -v name="$2" '
    { file = $1; sub(/:$/, "", file); base = file; sub(/.*\//, "", base); sub(/\.ko.*/, "", base); gsub(/-/, "_", base) }
    base == name { for (i = NF; i > 1; i--) print $i; print file }' "$cache/kernel/lib/modules/$1/modules.dep"
}

# Leaves the path of QEMU in `cache_emulator`: a mended copy, in a place from which it finds its own files as the original
# does, or the original where the mend does not fit.
cache_make_emulator() {
  local original place
  original=$(readlink -f "$(command -v qemu-system-x86_64)")
  place=$cache/emulator-$(stat --format='%n %s %Y' "$original" "$testbed/library/mend-emulator" | sha256sum | cut -c 1-16)
  cache_emulator=$place/bin/qemu-system-x86_64
  if [[ -d $place ]]; then
    touch "$place"
  else
    # Another checkout's Testbed may be about to use a recent one.
    find "$cache" -maxdepth 1 -name 'emulator-*' -mtime +1 -exec rm -rf {} +
    mkdir -p "$place.new/bin"
    ln -s "${original%/bin/*}"/{lib,share} "$place.new/"
    "$testbed/library/mend-emulator" "$original" "$place.new/bin/qemu-system-x86_64" ||
      say 'faults of this QEMU remain, by which machines may end or hang; see Testbed/library/mend-emulator'
    mv -T "$place.new" "$place"
  fi
  [[ -x $cache_emulator ]] || cache_emulator=$original
}
