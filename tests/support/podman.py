"""Podman with images and containers of a test's own."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.support.engine import find_tool


def podman(*args: str, storage: Path) -> str:
    """Run podman, which has to work, and return its output."""
    program = find_tool("podman")
    assert program, "apt-get install podman"
    places = ("--root", str(storage / "root"), "--runroot", str(storage / "run"))
    done = subprocess.run([program, *places, *args], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextlib.contextmanager
def podman_storage() -> Iterator[Path]:
    """Give a place for podman's images: a short one, podman takes no path of more than 50 characters."""
    place = Path(tempfile.mkdtemp(prefix="podman-"))
    try:
        yield place
    finally:
        podman("rm", "--all", "--force", storage=place)
        subprocess.run(["umount", "--quiet", place / "root/overlay"], check=False)
        shutil.rmtree(place, ignore_errors=True)
