"""A pytest plugin: tests in machines of their own.

    def test_install(novm_machine):                        # a machine over this host's tree
        novm_machine.run(["make", "install"], cwd="/src", check=True)

    @pytest.mark.novm(memory="1G", read="/srv/debian")     # with other settings
    def test_other(novm_machine): ...

The machine is started before the test, and stopped and removed after it.
"""

from __future__ import annotations

from typing import Iterator

import pytest

from ._machine import Machine


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "novm(**settings): the settings of the test's machine")


@pytest.fixture
def novm_machine(request: pytest.FixtureRequest) -> Iterator[Machine]:
    """A machine of the test's own, with the settings of its mark ``novm``."""
    mark = request.node.get_closest_marker("novm")
    with Machine(**(mark.kwargs if mark else {})) as machine:
        yield machine
