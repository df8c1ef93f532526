"""Virtual environments on a Python that is content: a tree that :mod:`ociwheel.base.interpreter` wrote."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ociwheel.errors import BaseError

PROGRAM_FOLDER = "usr/libexec"
"""Where the real programs of such a tree lie: in ``usr/bin`` every name is a script that works by itself."""


def write_script(path: Path, text: str) -> None:
    """Write a program that a shell runs, the same on every machine."""
    path.write_text(text, encoding="utf-8", newline="\n")
    path.chmod(0o755)


def write_venv(interpreter: Path, venv: Path) -> Path:
    """Make a virtual environment on an unpacked interpreter.

    It holds absolute paths, so it is for this machine and now, never an output. It has no pip.

    :param interpreter: a tree of the interpreter step.
    :param venv: the folder to make; it must not exist or be empty.
    :returns: the path of its Python.
    :raises BaseError: ``interpreter`` is no such tree.
    """
    root = interpreter.absolute()
    shim = _read_shim(root / "usr/bin/python3")
    minor = shim.minor
    binaries = venv.absolute() / "bin"
    binaries.mkdir(parents=True)
    (venv / f"lib/python{minor}/site-packages").mkdir(parents=True)
    settings = f"home = {root}/usr/bin\ninclude-system-site-packages = false\nversion = {minor}\n"
    (venv / "pyvenv.cfg").write_text(settings, encoding="utf-8")
    for name in ("python", "python3", f"python{minor}"):
        write_script(binaries / name, shim.text)
    return binaries / "python"


@dataclass(frozen=True)
class _Shim:
    """What starts the Python of an image, and its version."""

    text: str
    minor: str


def _read_shim(path: Path) -> _Shim:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        text = ""
    match = re.search(rf'"\$root/{PROGRAM_FOLDER}/python([0-9.]+)" "\$@"', text)
    if not match:
        raise BaseError("is no interpreter that `python -m ociwheel interpreter` wrote", where=str(path))
    return _Shim(text, match[1])
