# A distribution's userland at work in a machine: a package installed with apt, a program compiled, on both kernels.
#: as tester
#: also root
#: timeout 900

package=$TEST/novm-test_1_all
mkdir -p "$package/DEBIAN" "$package/usr/share/novm-test"
cat >"$package/DEBIAN/control" <<'END'
Package: novm-test
Version: 1
Architecture: all
Maintainer: novm <novm@localhost>
Description: a package to install
END
printf '#!/bin/sh\nchown nobody:nogroup /usr/share/novm-test/file\nchmod 4750 /usr/share/novm-test/file\n' \
  >"$package/DEBIAN/postinst"
chmod 755 "$package/DEBIAN" "$package/DEBIAN/postinst"
echo content >"$package/usr/share/novm-test/file"
dpkg-deb --root-owner-group --build "$package" "$package.deb" >/dev/null

# Owner, mode and content are what the package made of them, whoever runs novm.
expect_output $'content\nnobody nogroup 4750\ninstall ok installed' "$NOVM" run --kernel generic --memory 1G \
  --read "/packages=>$TEST" -- sh -c '
    apt-get install --yes -qq /packages/novm-test_1_all.deb >/dev/null 2>/tmp/errors || { cat /tmp/errors >&2; exit 1; }
    cat /usr/share/novm-test/file
    stat -c "%U %G %a" /usr/share/novm-test/file
    dpkg-query --show --showformat "\${Status}\n" novm-test'
[[ ! -e /usr/share/novm-test ]] || fail 'the package reached the host'

cat >"$TEST/hello.c" <<'END'
#include <stdio.h>
int main(void) { return puts("compiled") < 0; }
END
expect_output compiled "$NOVM" run --kernel cloud --memory 1G --cpus 2 --read "/src=>$TEST" -- \
  sh -c 'cc -O2 -o /tmp/hello /src/hello.c && /tmp/hello'
