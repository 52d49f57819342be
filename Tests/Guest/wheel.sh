#: as tester
#: timeout 600
#: needs wheel
# The wheel as pip installs it: nothing of this checkout is used, nor of an installed novm. And its plugin for pytest.
python=$PWD/.build/guest-tests/wheel/bin/python
[[ -x $python ]] || skip 'there is no wheel; run: scripts/wheel .build/guest-tests/wheel'
version=$("$NOVM" --version)
unset NOVM NOVM_LIBEXEC
export KERNEL PYTHONDONTWRITEBYTECODE=1
cp Tests/Library/test_plugin.py Tests/Library/test_plugin_next.py "$TEST"
cd "$TEST"

expect_output "$version" "$python" -m novm --version
expect_output "$version" "${python%python}novm" --version
# All libraries but the C library's come with it, where auditwheel has seen to that, and none is Swift's; so do the programs.
"$python" -c '
import os, novm
from novm import _library
place = os.path.dirname(os.path.dirname(novm.__file__))
assert _library.command().startswith(place) and _library.programs().startswith(os.fsencode(place)), _library.command()
assert novm.__file__.split("/")[-3] == "site-packages", novm.__file__
# Before anything else of Python needs one of the system.
maps = {line.split()[-1] for line in open("/proc/self/maps") if "/lib" in line}
import importlib.metadata
is_repaired = "manylinux" in importlib.metadata.distribution("novm").read_text("WHEEL")
names = ("novm", "bz2") if is_repaired else ("novm",)
for name in names:
    found = [path for path in maps if os.path.basename(path).startswith(f"lib{name}")]
    assert all(path.startswith(place) for path in found), found
assert any("libnovm.so.1" in path for path in maps) and not any("swift" in path.lower() for path in maps), maps
data = importlib.metadata.metadata("novm")
assert data["License"] == "Apache-2.0" and "novm.Machine" in data.get_payload()
' || fail 'what is installed'

status=0
"$python" -m pytest -p no:cacheprovider -rA -q test_plugin.py test_plugin_next.py >"$TEST/log" 2>&1 || status=$?
cat "$TEST/log"
summary=$(sed -n 's/^\(PASSED\|FAILED\|ERROR\) test_plugin[_a-z]*.py::\([^ ]*\).*/\1 \2/p' "$TEST/log" | sort)
expected='ERROR test_that_cannot_be
FAILED test_that_dies
FAILED test_that_fails
PASSED test_here
PASSED test_inside[word]
PASSED test_next
PASSED test_what_is_no_report
PASSED test_what_is_one
PASSED test_with_a_machine'
[[ $status == 1 && $summary == "$expected" ]] || fail "status $status: $summary"
grep -q "assert 'inside' == 'outside'" "$TEST/log" || fail 'what failed in a machine is not told'
grep -q 'pytest ended with status 3' "$TEST/log" || fail 'what died in a machine is not told'
grep -q "DescriptionError: .*memory" "$TEST/log" || fail 'what cannot be is not told'
[[ ! -e $TEST/made ]] || fail 'a file on the host'
expect_output '' "${python%python}novm" ls --all --quiet
