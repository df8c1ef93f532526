from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ociwheel.build import cython_program


@pytest.mark.parametrize("flags", [["-o", "x.c"], ["--output-file=x.c"]])
def test_generated_sources_name_no_place(flags: list[str], tmp_path: Path) -> None:
    cython = tmp_path / "cython"
    cython.write_text(f"#!/bin/sh\nprintf 'f = \"{tmp_path}/src/a.pyx\"' > x.c\n")
    cython.chmod(0o755)
    command = [sys.executable, cython_program.__file__, str(tmp_path), str(cython), "a.pyx", *flags]
    subprocess.run(command, cwd=tmp_path, check=True)
    assert (tmp_path / "x.c").read_text() == 'f = "/build/src/a.pyx"'


def test_a_failure_stays_one(tmp_path: Path) -> None:
    command = [sys.executable, cython_program.__file__, "/r", "/bin/sh", "-c", "exit 3"]
    assert subprocess.run(command, cwd=tmp_path, check=False).returncode == 3
