"""What Tests/Guest/wheel.sh has pytest run: with KERNEL in the environment, by the plugin of the package novm."""

import os
import pathlib

import pytest

KERNEL = os.environ["KERNEL"]
inside = pytest.mark.novm(kernel=KERNEL, memory="512M", hostname="inside")


@inside
@pytest.mark.parametrize("argument", ["word"])
def test_inside(argument, tmp_path):
    assert (os.uname().nodename, os.getuid(), argument) == ("inside", 0, "word")
    assert pathlib.Path("test_plugin.py").exists()
    pathlib.Path("made").write_text("in the machine's tree alone")
    (tmp_path / "file").write_text("")


@inside
def test_that_fails():
    print("words of it")
    assert os.uname().nodename == "outside"


@inside
def test_that_dies():
    os._exit(3)


@pytest.mark.novm(kernel=KERNEL, memory="256M", hostname="other")
def test_with_a_machine(novm_machine):
    assert os.uname().nodename != "other"
    assert novm_machine.run(["uname", "-n"], check=True).stdout == b"other\n"


def test_here():
    assert os.uname().nodename != "inside"


# The last one here, behind one that had this module set up: what is behind it is in test_plugin_next.py.
@pytest.mark.novm(kernel=KERNEL, memory="much")
def test_that_cannot_be():
    raise AssertionError("it is to be told before")
