"""``python -m novm`` is the command ``novm``."""

import os
import sys

from ._library import command


def main() -> None:
    program = command()
    os.execv(program, [program, *sys.argv[1:]])


if __name__ == "__main__":
    main()
