"""Writes the wheel of Bindings/Python with what is in .build/novm (PEP 427): wheel.py DIRECTORY. Prints its path."""

import base64
import hashlib
import pathlib
import re
import sys
import zipfile

SOURCE = pathlib.Path("Bindings/Python")
BUILT = pathlib.Path(".build/novm")
PROGRAMS = ["bin/novm", "libexec/novm/novmm", "libexec/novm/noguest", "libexec/novm/nofetch", "lib/libnovm.so.1"]


def main(directory: str) -> None:
    version = re.search(r'version = "([^"]+)"', (SOURCE / "pyproject.toml").read_text())[1]
    tag = "py3-none-linux_x86_64"
    information = f"novm-{version}.dist-info"
    files = {f"novm/{path.name}": path for path in sorted((SOURCE / "novm").iterdir()) if path.is_file()}
    files[f"{information}/licenses/LICENSE"] = pathlib.Path("LICENSE")
    files.update({f"novm/_installed/{name}": BUILT / name for name in PROGRAMS})
    texts = {
        f"{information}/METADATA": f"Metadata-Version: 2.1\nName: novm\nVersion: {version}\n"
        "Summary: Machines of directory trees: libnovm for Python\nRequires-Python: >=3.9\nLicense: Apache-2.0\n"
        "Description-Content-Type: text/markdown\n\n" + (SOURCE / "README.md").read_text(),
        f"{information}/WHEEL": f"Wheel-Version: 1.0\nGenerator: novm\nRoot-Is-Purelib: false\nTag: {tag}\n",
        f"{information}/entry_points.txt": "[console_scripts]\nnovm = novm.__main__:main\n\n"
        "[pytest11]\nnovm = novm.pytest_plugin\n",
    }
    path = pathlib.Path(directory) / f"novm-{version}-{tag}.whl"
    record = []
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:

        def add(name: str, data: bytes, mode: int) -> None:
            entry = zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0))
            entry.external_attr = (0o100000 | mode) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            wheel.writestr(entry, data)
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            record.append(f"{name},sha256={digest},{len(data)}")

        for name, source in files.items():
            add(name, source.read_bytes(), source.stat().st_mode & 0o755)
        for name, text in texts.items():
            add(name, text.encode(), 0o644)
        record.append(f"{information}/RECORD,,")
        entry = zipfile.ZipInfo(f"{information}/RECORD", (2026, 1, 1, 0, 0, 0))
        entry.external_attr = 0o100644 << 16
        wheel.writestr(entry, "\n".join(record) + "\n")
    print(path)


main(*sys.argv[1:])
