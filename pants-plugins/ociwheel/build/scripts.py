"""Programs that are scripts of the shell."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from pathlib import Path


def write_script(path: Path, text: str) -> None:
    """Write a program."""
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)


def write_program(binaries: Path, names: Iterable[str], command: Iterable[str]) -> None:
    """Write a script that runs a command with its own arguments added, under several names."""
    # Build systems split $CC at spaces, so the folder is on the PATH and these are called by name.
    text = f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n'
    for name in names:
        write_script(binaries / name, text)
