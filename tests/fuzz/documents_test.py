"""The doors of documents, indexes and registries, on inputs that are made anew from a fixed seed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz import document_doors, index_doors, registry_doors

INPUTS = 1500
NAMES = [door.name for module in (document_doors, index_doors, registry_doors) for door in module.DOORS]


@pytest.mark.parametrize("door", NAMES)
def test_no_input_breaks_a_rule(door: str, tmp_path: Path) -> None:
    """A process of its own, because the harness limits its own memory and time."""
    command = ["-m", "tests.fuzz", "--door", door, "--inputs", str(INPUTS), "--keep", str(tmp_path)]
    environ = {"PYTHONPATH": ":".join(sys.path), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [sys.executable, *command], env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert f"{door}: {INPUTS} inputs" in done.stdout
