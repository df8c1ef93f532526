"""Runs a step as a user does, and measures what it took."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SECONDS = 2.0
"""Processor time that a step may take over an input of less than 1 MB."""
MEMORY_BYTES = 64 << 20
MEMORY_RATIO = 10


@dataclass(frozen=True)
class Ended:
    """What a step left, and what it took."""

    code: int
    document: dict[str, Any]
    message: str
    seconds: float
    """Of processor time."""
    memory: int
    """Bytes at most."""


def run_limited(*arguments: str, folder: Path, **environ: str) -> Ended:
    """Run ``python -m ociwheel`` with its output in files, so that nothing waits for anything."""
    out, err = folder / "stdout", folder / "stderr"
    variables = {"PATH": os.environ["PATH"], "HOME": str(folder), "TMPDIR": str(folder)}
    path = os.pathsep.join(sys.path)
    with out.open("wb") as stdout, err.open("wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "ociwheel", *arguments],
            env={**variables, "PYTHONPATH": path, **environ},
            stdout=stdout,
            stderr=stderr,
            stdin=subprocess.DEVNULL,
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    said = out.read_bytes()
    return Ended(
        process.returncode,
        json.loads(said) if said else {},
        err.read_text(errors="replace"),
        usage.ru_utime + usage.ru_stime,
        usage.ru_maxrss << 10,
    )
