"""What runs behind test_plugin.py, whose last test was in a machine."""

import pytest

from novm import pytest_plugin


def test_next():
    pass


def test_what_is_no_report(request):
    for line in (b"[" * 100000, b"{}", b"[]", b"1", b"x", b'{"$report_type": "TestReport"}'):
        with pytest.raises(ValueError):
            pytest_plugin._report(request.config, line)
