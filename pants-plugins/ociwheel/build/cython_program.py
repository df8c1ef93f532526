"""The program ``cython`` as meson calls it: what it writes names no place of the build.

For tracebacks Cython keeps the path of a ``.pyx``, absolute where it is not below the working directory. This
file runs on its own, as ``python cython_program.py ROOT CYTHON ARGUMENTS``.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_SUFFIXES = (".c", ".cpp", ".cc", ".cxx", ".h")


def main(argv: list[str]) -> int:
    """Run Cython, then put ``/build`` in the place of ``ROOT`` in the sources that it was to write."""
    root, program, arguments = argv[1], argv[2], argv[3:]
    done = subprocess.run([program, *arguments], check=False).returncode
    written = [word.rpartition("=")[2] for word in arguments if word.endswith(_SUFFIXES)]
    for path in map(Path, written):
        if done == 0 and path.is_file():
            data = path.read_bytes()
            path.write_bytes(data.replace(root.encode(), b"/build"))
    return done


if __name__ == "__main__":
    sys.exit(main(sys.argv))
