"""What runs behind test_plugin.py, whose last test was in a machine."""

import json

import pytest

from novm import pytest_plugin


def test_next():
    pass


def line(**words):
    """A report's line, but for what is said here."""
    report = {
        "$report_type": "TestReport", "nodeid": "n", "location": ["f", 1, "d"], "keywords": {}, "outcome": "passed", "longrepr": None,
        "when": "call", "sections": [], "duration": 0.5, "user_properties": [],
    }
    return json.dumps({**report, **words}).encode()


def failure(message="m", **words):
    """What pytest writes of an exception."""
    entry = {"type": "ReprEntryNative", "data": {"lines": ["assert 0"]}, **words}
    crash = {"path": "f", "lineno": 1, "message": message}
    return {
        "reprcrash": crash, "reprtraceback": {"reprentries": [entry], "extraline": None, "style": "native"}, "sections": [],
        "chain": None,
    }


def test_what_is_no_report(request):
    for text in (
        b"[" * 100000, b"{}", b"[]", b"1", b"x", b'{"$report_type": "TestReport"}', b'{"$report_type": "x"}',
        line(outcome=5), line(outcome="rerun"), line(when="collect"), line(duration="long"), line(duration=float("nan")),
        line(duration=10**400), line(sections=["a"]), line(sections=[["a", 1]]), line(wasxfail=1), line(outcome="failed"),
        line(outcome="failed", longrepr={"a": 1}), line(outcome="failed", longrepr=failure(type="x")),
        line(outcome="failed", longrepr=failure(data={"lines": [1]})), line(outcome="failed", longrepr=failure(message=1)),
        line(outcome="skipped"), line(outcome="skipped", longrepr="why"), line(outcome="skipped", longrepr=["f", "1", "why"]),
    ):
        with pytest.raises(ValueError, match="gives no report of it"):
            pytest.fail(f"{text[:200]!r} is {pytest_plugin._report(request.node, text)}")


def test_what_is_one(request):
    def told(**words):
        return pytest_plugin._report(request.node, line(**words))

    # Whatever it is said to be of, it is of the test that ran.
    report = told(nodeid="test_other.py::test_other", location=["other", 1, "other"], keywords={"other": 1}, toterminal=1, node=1)
    assert (report.nodeid, report.location) == (request.node.nodeid, request.node.location)
    assert "other" not in report.keywords and report.passed and report.duration == 0.5 and report.longreprtext == ""
    report = told(outcome="failed", longrepr=failure(), sections=[["Captured stdout call", "words"]])
    assert (report.longreprtext, report.longrepr.reprcrash.message, report.capstdout) == ("assert 0", "m", "words")
    assert told(outcome="failed", longrepr="why").longreprtext == "why"
    assert told(outcome="skipped", longrepr=["f", 1, "Skipped: why"]).longrepr == ("f", 1, "Skipped: why")
    assert told(outcome="skipped", longrepr=failure(), wasxfail="reason: why").wasxfail == "reason: why"
