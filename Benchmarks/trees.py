"""Trees for measurements: a root with busybox, and small files to walk and to read."""

import os
import random
import shutil

SMALL_FILES = 864


def make_root(root, files=SMALL_FILES):
    """/bin/busybox, and in /small directories of 36 files, of 6,250 bytes each on average. The first ones are always the same."""
    for name in ("dev", "proc", "tmp", "bin", "etc", "root"):
        os.makedirs(f"{root}/{name}")
    shutil.copy("/bin/busybox", f"{root}/bin/busybox")
    source = random.Random(1)
    for number in range(files):
        place = f"{root}/small/{number // 36:02d}"
        os.makedirs(place, exist_ok=True)
        with open(f"{place}/{number:03d}", "wb") as file:
            file.write(source.randbytes(source.randrange(500, 12_000)))
