"""A pytest plugin: tests in machines of their own.

    @pytest.mark.novm(memory="1G")                         # this test runs in a machine over the current tree
    def test_install():
        subprocess.run(["make", "install"], check=True)    # as root, and the host keeps its files as they are

    def test_server(novm_machine):                         # this one runs here, and has a machine
        novm_machine.run(["systemctl", "start", "server"], check=True)

    @pytest.mark.novm(read="/srv/debian")                  # with other settings
    def test_other(novm_machine): ...

Settings are those of ``novm.Machine``. A machine is started before its test, and stopped and removed after it. A test that runs in
a machine runs by the same Python with the same environment, so its tree has to have them where they are here, as this host's
has; ``timeout=60`` is the seconds that it has. What it writes is gone with the machine.
"""

from __future__ import annotations

import json
import math
import os
import sys
from typing import TYPE_CHECKING, Any, Dict, Iterator, List, Optional

import pytest

from ._errors import NovmError
from ._machine import Machine

if TYPE_CHECKING:
    from typing import Literal

# What tells pytest in a machine where to leave its reports.
_REPORTS = "NOVM_PYTEST_REPORTS"
# In bytes; a test may write what it likes.
_REPORT_LIMIT = 64 << 20


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "novm(timeout=None, **settings): run the test in a machine of its own; with the fixture novm_machine, the settings of that",
    )
    path = os.environ.get(_REPORTS)
    if path:
        config.pluginmanager.register(_Reporter(config, path), "novm-reporter")


@pytest.fixture
def novm_machine(request: pytest.FixtureRequest) -> Iterator[Machine]:
    """A machine of the test's own, with the settings of its mark ``novm``."""
    mark = request.node.get_closest_marker("novm")
    with Machine(**(mark.kwargs if mark else {})) as machine:
        yield machine


def pytest_runtest_protocol(item: pytest.Item, nextitem: Optional[pytest.Item]) -> Optional[bool]:
    """Has a marked test run in a machine, and reports what is reported there."""
    mark = item.get_closest_marker("novm")
    if mark is None or _REPORTS in os.environ or "novm_machine" in getattr(item, "fixturenames", ()):
        return None
    if mark.args:
        raise pytest.UsageError(f"{item.nodeid}: novm takes settings by name, such as novm(memory='1G')")
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for report in _run(item, **mark.kwargs):
        item.ihook.pytest_runtest_logreport(report=report)
    _leave(item, nextitem)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def _leave(item: pytest.Item, nextitem: Optional[pytest.Item]) -> None:
    """Tears down what tests before this one had and the next one has not, such as their module's fixtures."""
    # pytest_runtest_teardown would do more: other plugins' part, for a test that was never set up here.
    call = pytest.CallInfo.from_call(
        lambda: item.session._setupstate.teardown_exact(nextitem), when="teardown", reraise=(KeyboardInterrupt, pytest.exit.Exception)
    )
    if call.excinfo is not None:
        report = item.ihook.pytest_runtest_makereport(item=item, call=call)
        item.ihook.pytest_runtest_logreport(report=report)


def _run(item: pytest.Item, timeout: Optional[float] = None, **settings: Any) -> List[pytest.TestReport]:
    """Runs one test in a machine of its own."""
    config, path = item.config, "/run/novm-pytest"
    words = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--rootdir", str(config.rootpath)]
    if config.inipath is not None:
        words += ["-c", str(config.inipath)]
    name = config.pluginmanager.get_name(sys.modules[__name__])
    # As an entry point it comes by itself.
    if name == __name__:
        words += ["-p", name]
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTEST_CURRENT_TEST", "PYTEST_ADDOPTS")}
    environment[_REPORTS] = path
    try:
        with Machine(**settings) as machine:
            done = machine.run([*words, item.nodeid], cwd=config.rootpath, env=environment, timeout=timeout)
            try:
                lines = machine.read(path, limit=_REPORT_LIMIT).splitlines()
            except NovmError:
                lines = []
            reports = [_report(item, line) for line in lines]
    except (NovmError, ValueError) as error:
        return [_failed(item, "setup", f"{type(error).__name__}: {error}")]
    if not any(report.when == "teardown" for report in reports):
        why = "it took too long" if done.returncode == 124 else f"pytest ended with status {done.returncode}"
        output = (done.stdout + done.stderr).decode(errors="replace")
        reports.append(_failed(item, "call", f"in the machine {why}\n{output}"))
    return reports


def _report(item: pytest.Item, line: bytes) -> pytest.TestReport:
    """What a line says of a test, which may have written it itself.

    Raises:
        ValueError: it is no report.
    """
    try:
        return _checked(item, item.config.hook.pytest_report_from_serializable(config=item.config, data=json.loads(line)))
    except Exception as error:
        # Of any kind: pytest takes it for granted that it reads what it wrote.
        raise ValueError("the test's machine gives no report of it") from error


def _checked(item: pytest.Item, told: object) -> pytest.TestReport:
    """A report of the test with what another one says, as far as a test may say that; raises anything if that cannot be."""
    if not isinstance(told, pytest.TestReport):
        raise TypeError("a report of something else")
    when: Any = told.when
    if when not in ("setup", "call", "teardown") or told.outcome not in ("passed", "failed", "skipped"):
        raise ValueError("a report of no test")
    if not 0 <= told.duration < math.inf:
        raise ValueError("a time that cannot be")
    xfail: Dict[str, Any] = {"wasxfail": _text(told.wasxfail)} if hasattr(told, "wasxfail") else {}
    why: Any = told.longrepr
    if told.outcome == "skipped" and not xfail:
        # JSON has no tuples, and pytest takes nothing else.
        path, number, reason = why
        if not isinstance(number, int):
            raise TypeError("a line without a number")
        why = (_text(path), number, _text(reason))
    elif told.outcome == "passed":
        why = None
    elif not hasattr(why, "toterminal"):
        why = _text(why)
    # What pytest will print: a part of a wrong kind shows by that.
    f"{why}{getattr(why, 'reprcrash', None)}"
    return pytest.TestReport(
        item.nodeid,
        item.location,
        {name: 1 for name in item.keywords},
        told.outcome,
        why,
        when,
        [(_text(name), _text(content)) for name, content in told.sections],
        float(told.duration),
        user_properties=item.user_properties,
        **xfail,
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("something else than a text")
    return value


def _failed(item: pytest.Item, when: Literal["setup", "call"], words: str) -> pytest.TestReport:
    return pytest.TestReport(item.nodeid, item.location, {}, "failed", words, when)


class _Reporter:
    """Leaves reports for the pytest that made the machine."""

    def __init__(self, config: pytest.Config, path: str) -> None:
        self._config = config
        self._path = path

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        # Of a subtest, which is of a class of its own, only a failure is the test's.
        if type(report) is not pytest.TestReport:
            if not report.failed:
                return
            report.sections.append((str(report.head_line), ""))
        data = self._config.hook.pytest_report_to_serializable(config=self._config, report=report)
        with open(self._path, "a") as file:
            file.write(json.dumps(data) + "\n")
