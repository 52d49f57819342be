# A host with an Intel processor: Bochs, which interprets VT-x with EPT, at about a hundredth of QEMU's speed. Nothing of this
# machine is seen there but what is put on its disk, and each command has a host of its own. Sourced.

# Files that the initramfs needs to reach the disk, and KVM.
intel_modules=(ata_piix sd_mod crc32c_generic ext4 kvm_intel tun)
intel_boot_seconds=1200

intel_missing() {
  local missing=()
  command -v bochs >/dev/null || missing+=(bochs)
  [[ -d /usr/lib/grub/i386-pc ]] && command -v grub-mkrescue >/dev/null || missing+=(grub-pc-bin)
  command -v xorriso >/dev/null || missing+=(xorriso)
  echo "${missing[*]}"
}

# intel_run [--with PATH]... [--cwd DIR] [--env NAME=VALUE]... [--] COMMAND ARGUMENT...
intel_run() {
  local value directory=$PWD paths=() environment=()
  while (($#)); do
    case $1 in
      --with | --env | --cwd) value=$(argument "$@") ;;
    esac
    case $1 in
      --with) paths+=("$(readlink -e "$value")") || die "there is no $value" && shift ;;
      --env) environment+=("$(session_variable "$value")") && shift ;;
      --cwd) directory=$value && shift ;;
      --) shift && break ;;
      -*) die "unknown option $1 of run on an Intel host; see Testbed/host --help" ;;
      *) break ;;
    esac
    shift
  done
  (($#)) || die "run needs a command; see Testbed/host --help"
  value=$(intel_missing)
  [[ -z $value ]] || die "these packages are missing: as root, run: apt-get install $value"
  cache_prepare
  intel_make_disc

  intel_work=$(mktemp -d "$cache/intel.XXXXXX")
  trap 'intel_end' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  intel_make_disk "$directory" "$(quote env "${environment[@]}" "$@")" "${paths[@]}"
  intel_boot
}

# What boots: GRUB, the kernel, and a first root, on a compact disc; its path in `intel_disc`.
intel_make_disc() {
  local release work module
  release=$(<"$cache/kernel/release")
  intel_disc=$cache/intel-$(cat "$testbed/intel/init" "$testbed/library/intel.sh" "$cache/kernel/release" /bin/busybox |
    sha256sum | cut -c 1-16).iso
  [[ ! -f $intel_disc ]] || { touch "$intel_disc" && return; }
  find "$cache" -maxdepth 1 -name 'intel-*.iso' -mtime +1 -delete
  work=$(mktemp -d "$cache/disc.XXXXXX")
  mkdir -p "$work"/root/{bin,dev,proc,sys,root,modules} "$work/disc/boot/grub"
  cp /bin/busybox "$work/root/bin/"
  cp "$testbed/intel/init" "$work/root/init"
  for module in "${intel_modules[@]}"; do
    cache_module_with_dependencies "$release" "$module"
  done | awk '!seen[$0]++' | while read -r module; do
    cp "$cache/kernel/lib/modules/$release/$module" "$work/root/modules/"
    basename "$module" >>"$work/root/modules/order"
  done
  (cd "$work/root" && find . -print0 | cpio --null --create --quiet --format=newc --owner=0:0) >"$work/disc/initrd"
  cp "$cache/kernel/boot/vmlinuz-$release" "$work/disc/vmlinuz"
  cat >"$work/disc/boot/grub/grub.cfg" <<'END'
set timeout=0
linux /vmlinuz console=ttyS0 panic=-1 quiet nowatchdog nokaslr mitigations=off no_timer_check
initrd /initrd
boot
END
  grub-mkrescue --directory /usr/lib/grub/i386-pc --output "$work/iso" "$work/disc" >"$work/log" 2>&1 ||
    die "cannot make a disc: $(tail -n 1 "$work/log")"
  mv "$work/iso" "$intel_disc"
  rm -rf "$work"
}

# The disk, an ext4: busybox, what is asked for at its own paths, and the command.
intel_make_disk() {
  local root=$intel_work/root directory=$1 command=$2 path size
  shift 2
  mkdir -p "$root"/{bin,dev,proc,sys,run,tmp,root,etc,testbed}
  cp /bin/busybox "$root/bin/"
  for path in $(/bin/busybox --list); do [[ $path == busybox ]] || ln -s busybox "$root/bin/$path"; done
  echo root:x:0:0:root:/root:/bin/sh >"$root/etc/passwd"
  echo root:x:0: >"$root/etc/group"
  cp "$testbed/intel/start" "$root/testbed/start"
  # For who wants it with other parameters.
  mkdir "$root/modules"
  cp "$cache/kernel/lib/modules/$(<"$cache/kernel/release")"/kernel/arch/x86/kvm/kvm-intel.ko* "$root/modules/"
  echo "$directory" >"$root/testbed/directory"
  echo "exec $command" >"$root/testbed/command"
  mkdir -p "$root$directory"
  for path; do
    mkdir -p "$root${path%/*}"
    rm -rf "${root:?}$path"
    cp -a "$path" "$root$path"
  done
  # Whole cylinders of 16 heads and 63 sectors, and as much again for what is written there.
  size=$(du -sk "$root" | cut -f 1)
  size=$(((size * 1024 / 2 * 3 + (256 << 20)) / 516096 * 516096))
  truncate -s "$size" "$intel_work/disk"
  PATH=$PATH:/usr/sbin:/sbin mkfs.ext4 -q -F -m 0 -O ^has_journal -d "$root" "$intel_work/disk" >"$intel_work/log" 2>&1 ||
    die "cannot make a disk: $(tail -n 1 "$intel_work/log")"
  rm -rf "$root"
}

intel_boot() {
  local deadline=$((SECONDS + intel_boot_seconds)) status
  cat >"$intel_work/bochsrc" <<END
config_interface: textconfig
display_library: rfb, options="timeout=0"
memory: guest=${instance_memory:-1536}, host=${instance_memory:-1536}
romimage: file=/usr/share/bochs/BIOS-bochs-latest
vgaromimage: file=/usr/share/vgabios/vgabios.bin
cpu: model=corei7_haswell_4770, count=1, ips=200000000
clock: sync=none, time0=$(date +%s)
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata0-master: type=disk, path="$intel_work/disk", mode=flat, cylinders=0
ata1: enabled=1, ioaddr1=0x170, ioaddr2=0x370, irq=15
ata1-master: type=cdrom, path="$intel_disc", status=inserted
boot: cdrom
com1: enabled=1, mode=file, dev="$intel_work/console"
com2: enabled=1, mode=file, dev="$intel_work/output"
com3: enabled=1, mode=file, dev="$intel_work/errors"
sound: waveoutdrv=dummy, waveindrv=dummy, midioutdrv=dummy
log: "$intel_work/bochs"
END
  echo c >"$intel_work/go"
  intel_shown=(0 0)
  say 'starting an Intel host, which takes minutes'
  touch "$intel_work"/{console,output,errors}
  # Its display is a port, which is for nobody.
  local alone=(unshare --net)
  ((EUID == 0)) || alone=(unshare --map-root-user --net)
  "${alone[@]}" true 2>/dev/null || alone=()
  BXSHARE=/usr/share/bochs "${alone[@]}" setsid bochs -q -f "$intel_work/bochsrc" -rc "$intel_work/go" </dev/null >"$intel_work/said" 2>&1 &
  intel_process=$!
  until grep -qs '^testbed: status ' "$intel_work/console"; do
    intel_show
    ! grep -qs 'Kernel panic' "$intel_work/console" || break
    kill -0 "$intel_process" 2>/dev/null || break
    ((SECONDS < deadline)) || break
    sleep 1
  done
  intel_show
  status=$(sed -n 's/^testbed: status \([0-9]*\).*/\1/p' "$intel_work/console")
  [[ -n $status ]] || {
    tail -n 20 "$intel_work/console" "$intel_work/said" >&2
    die 'the Intel host ended, or took too long'
  }
  exit "$status"
}

# Prints what has come since the last time.
intel_show() {
  local size
  size=$(stat -c %s "$intel_work/output")
  tail -c "+$((intel_shown[0] + 1))" "$intel_work/output" | head -c $((size - intel_shown[0]))
  intel_shown[0]=$size
  size=$(stat -c %s "$intel_work/errors")
  tail -c "+$((intel_shown[1] + 1))" "$intel_work/errors" | head -c $((size - intel_shown[1])) >&2
  intel_shown[1]=$size
}

intel_end() {
  [[ -z ${intel_process:-} ]] || kill -KILL "$intel_process" 2>/dev/null || true
  rm -rf "$intel_work"
}
