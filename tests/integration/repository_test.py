from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.repository import Caches, Repository, Run


def test_a_step_that_pants_starts_anew_is_one_step() -> None:
    log = """\
16:11:33.01 [INFO] Starting: Layer sources of src:image
16:11:33.01 [INFO] Starting: Layer sources of src:image
16:11:33.01 [INFO] Canceled: Layer sources of src:image
16:11:33.49 [INFO] Completed: Layer sources of src:image
16:11:33.50 [INFO] Starting: Write the index
16:11:33.50 [INFO] Starting: Write the index
16:11:33.91 [INFO] Completed: Write the index
16:11:33.91 [INFO] Completed: Write the index
"""
    assert Run(0, "", log).started == ["Layer sources of src:image", "Write the index", "Write the index"]


def test_what_is_scheduled_is_no_step_of_its_own() -> None:
    log = "[INFO] Starting: Scheduling: Write the index\n[INFO] Starting: Write the index\n"
    assert Run(0, "", log).started == ["Write the index"]


@pytest.mark.parametrize("folder", [".pids/0a", ".pants.d/pids/0a"])
def test_the_daemon_is_ended_wherever_it_keeps_its_number(tmp_path: Path, folder: str) -> None:
    daemon = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    file = tmp_path / folder / "pantsd/pid"
    file.parent.mkdir(parents=True)
    file.write_text(f"{daemon.pid}\n")
    Repository(tmp_path, Caches(tmp_path)).stop()
    assert daemon.wait(timeout=10) != 0
