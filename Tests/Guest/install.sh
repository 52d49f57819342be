# What `make install` and `make deb` lay down runs from there, has manual pages, and goes without a trace.
#: outside
#: timeout 600
version=$(sed -n 's/^## \[\{0,1\}\([0-9][0-9.]*\).*/\1/p' CHANGELOG.md | head -n 1)

# An installation below DIRECTORY works, as far as that goes without a machine.
works() {
  local root=$1 page text
  [[ $("$root/usr/bin/novm" --version) == *"$version"* ]] || fail "novm --version: $("$root/usr/bin/novm" --version)"
  text=$("$root/usr/bin/novm" --help)
  [[ $text == *USAGE:\ novm* ]] || fail "novm --help: $text"
  [[ $("$root/usr/libexec/novm/novmm" --version) == novmm\ * ]] || fail 'novmm --version'
  # It finds its other programs beside itself: what is missing is the kernel.
  expect_status 125 env -u NOVM_LIBEXEC NOVM_ROOT="$TEST/store" "$root/usr/bin/novm" run -- true 2>"$TEST/errors"
  grep -q 'novm kernel import' "$TEST/errors" || fail "$(<"$TEST/errors")"
  for page in novm novm-run novm-kernel-import novmm; do
    text=$(MANROFFSEQ='' MANWIDTH=80 man --local-file --warnings "$root/usr/share/man/man1/$page.1"* 2>&1)
    [[ $text == *NAME* && $text == *SYNOPSIS* && $text != *warning* ]] || fail "man $page: $text"
  done
  bash -n "$root/usr/share/bash-completion/completions/novm"
  [[ -s $root/usr/share/zsh/site-functions/_novm && -s $root/usr/share/fish/vendor_completions.d/novm.fish ]] ||
    fail 'completions are missing'
}

make --silent install DESTDIR="$TEST/installed" PREFIX=/usr >"$TEST/log" 2>&1 || fail "$(<"$TEST/log")"
works "$TEST/installed"

[[ $(id -u) == 0 ]] || skip 'only root can install the package'
package=$(make --silent deb 2>"$TEST/log" | tail -n 1) || fail "$(<"$TEST/log")"
[[ $(dpkg-deb --field "$package" Version) == "$version" ]] || fail "$package: $(dpkg-deb --field "$package")"
[[ $(dpkg-deb --field "$package" Depends) == *libc6* ]] || fail "$package: $(dpkg-deb --field "$package")"
root=$TEST/root
mkdir -p "$root"/var/lib/dpkg/{info,updates}
: >"$root/var/lib/dpkg/status"
# Its script only speaks, and there is no shell in there; the packages that it depends on are this system's.
dpkg --root="$root" --log=/dev/null --force-depends --force-script-chrootless --install "$package" >"$TEST/log" 2>&1 ||
  fail "$(<"$TEST/log")"
grep -q 'novm kernel import' "$TEST/log" || fail "what comes next is not said: $(<"$TEST/log")"
works "$root"
[[ -s $root/usr/share/doc/novm/copyright ]] || fail 'no copyright file'
dpkg --root="$root" --log=/dev/null --force-script-chrootless --remove novm >"$TEST/log" 2>&1 || fail "$(<"$TEST/log")"
left=$(find "$root" -mindepth 1 -path "$root/var/lib" -prune -o ! -path "$root/var" -print)
[[ -z $left ]] || fail "left behind: $left"

package=$(make --silent rpm 2>"$TEST/log" | tail -n 1) || fail "$(<"$TEST/log")"
# No version of a symbol that only Debian's libraries have; a script that only speaks.
rpm --query --requires --package "$package" >"$TEST/requires"
grep -qx 'libcurl.so.4()(64bit)' "$TEST/requires" || fail "$(<"$TEST/requires")"
! grep -q CURL_OPENSSL "$TEST/requires" || fail "$(<"$TEST/requires")"
scripts=$(rpm --query --scripts --package "$package")
[[ $scripts == postinstall*'novm kernel import'* ]] || fail "$scripts"
# Unpacked, as on a system of another kind.
mkdir "$TEST/unpacked"
rpm2cpio "$package" | (cd "$TEST/unpacked" && cpio --extract --quiet --make-directories)
diff <(cd "$TEST/unpacked" && find . -type f -printf '/%P\n' | sort) <(rpm --query --list --package "$package" |
  grep -vE '^/usr/(libexec|share/licenses)/novm$' | sort) || fail 'the list of files is not what is in it'
works "$TEST/unpacked"
# Installed and removed, in a database of its own.
root=$TEST/fedora
mkdir -p "$root"
rpm --root "$root" --nodeps --noscripts --install "$package" 2>"$TEST/log" || fail "$(<"$TEST/log")"
works "$root"
rpm --root "$root" --nodeps --erase novm 2>"$TEST/log" || fail "$(<"$TEST/log")"
left=$(find "$root/usr" -name '*novm*' 2>/dev/null)
[[ -z $left ]] || fail "left behind: $left"
