# libnovm without a machine: wrong calls, random ones, loading, its interface as it was promised, and its packages' parts.
#: outside
#: timeout 300
[[ -x .build/library/wrong ]] || skip 'libnovm is not built; run: scripts/library'
build=.build/novm
export NOVM_ROOT=$TEST/store NOVM_LIBEXEC=$PWD/$build/libexec/novm
.build/library/wrong 100000 "$RANDOM" || fail 'wrong calls'
.build/library/wrong-checked 3000 "$RANDOM" || fail 'wrong calls, with sanitizers'
.build/library/loads "$build/lib/libnovm.so.1" || fail 'loads'
valgrind --quiet --error-exitcode=9 .build/library/wrong 300 >"$TEST/log" 2>&1 || fail "$(<"$TEST/log")"

# ABI: what was promised is there. What was added is no fault, and shall be committed:
# abidw --no-corpus-path --no-elf-needed --out-file Tests/Library/libnovm.abi .build/novm/lib/libnovm.so.1
status=0
abidiff Tests/Library/libnovm.abi "$build/lib/libnovm.so.1" >"$TEST/log" || status=$?
((!(status & 11))) || fail "$(<"$TEST/log")"
# The floor of glibc that docs/library.md states.
glibc=$(readelf --version-info --wide "$build/lib/libnovm.so.1" | grep -o 'GLIBC_2\.[0-9]*' | sort -uV | tail -n 1)
[[ $glibc == GLIBC_2.35 ]] || fail "needs $glibc"

g++ -x c++ -std=c++17 -Wall -Werror -fsyntax-only -I "$build/include" - <<<'#include <novm.h>
int main() { novm_command_options options = NOVM_COMMAND_OPTIONS; return options.input + 1; }' || fail 'C++'

# Each function has a manual page.
scripts/library-manual "$TEST/man3" 1.0
for name in libnovm $(nm --dynamic --defined-only "$build/lib/libnovm.so.1" | awk '$3 ~ /^novm_/ { sub("@.*", "", $3); print $3 }'); do
  [[ -s $TEST/man3/$name.3 ]] || fail "no manual page of $name"
done
manual=$(MANROFFSEQ='' MANWIDTH=80 man --local-file --warnings "$TEST/man3/libnovm.3" 2>&1)
[[ $manual == *NAME* && $manual == *novm_machine_start* && $manual == *NOVM_ERROR_CANCELED* && $manual != *warning* ]] || fail "$manual"

# The pages of `import Novm`, whose links lead somewhere.
if command -v docc >/dev/null && [[ -f $(swift build --show-bin-path)/Modules/Novm.swiftmodule ]]; then
  scripts/library-pages "$TEST/pages" || fail 'library-pages'
else
  echo 'left out: no docc, or no modules of a debug build'
fi

# As it is installed: found by pkg-config wherever it lies.
DESTDIR=$TEST/installed scripts/install-library /usr lib/x86_64-linux-gnu
export PKG_CONFIG_PATH=$TEST/installed/usr/lib/x86_64-linux-gnu/pkgconfig
# shellcheck disable=SC2046 # words
gcc -o "$TEST/run" Examples/C/run.c $(pkg-config --cflags --libs libnovm) || fail 'pkg-config'
export LD_LIBRARY_PATH=$TEST/installed/usr/lib/x86_64-linux-gnu
expect_status 1 "$TEST/run" 2>"$TEST/log"
grep -q 'novm kernel import' "$TEST/log" || fail "$(<"$TEST/log")"
export NOVM_LIBRARY=$TEST/installed/usr/lib/x86_64-linux-gnu/libnovm.so.1
export PYTHONPATH=$TEST/installed/usr/lib/python3/dist-packages PYTHONDONTWRITEBYTECODE=1
/usr/bin/python3 -c '
import novm
assert novm.Store().kernels() == [] and novm.Store().machines() == []
try: novm.Machine(memory="1G")
except novm.MissingError as error: assert "novm kernel import" in str(error), error
else: raise AssertionError("a machine without a kernel")
' || fail 'Python'
# A kernel's import, without the command.
if package=$(scripts/kernel-packages cloud 2>/dev/null | head -n 1) && [[ -f $package ]]; then
  /usr/bin/python3 -c '
import sys, novm
with novm.Store() as store:
    lines = []
    kernel = store.import_kernel(sys.argv[1], name="mine", progress=lines.append)
    assert kernel.name == "mine" and kernel in store.kernels() and lines, (kernel, lines)
    store.remove_kernel("mine")
    assert store.kernels() == []
' "$package" || fail 'import'
else
  echo 'left out: no package of a kernel'
fi
/usr/bin/python3 Tests/Library/errands.py "$TEST" || fail 'errands.py'
if command -v mypy >/dev/null; then
  (cd Bindings/Python && mypy --strict --cache-dir=/dev/null novm) || fail 'mypy'
else
  echo 'left out: mypy is not installed'
fi
for program in .build/examples/{c/run,go/run,rust/run,swift/examples}; do
  [[ -x $program ]] || { echo "left out: $program is not built" && continue; }
  expect_status 1 "$program" run 2>"$TEST/log"
  grep -q 'novm kernel import' "$TEST/log" || fail "$program: $(<"$TEST/log")"
done
