"""Waiting for what another process does."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from typing import Any

STOP_SECONDS = 20


def wait_for(found: Callable[[], Any], seconds: float, process: subprocess.Popen[str] | None = None) -> Any:
    """Return the first true answer.

    :param process: the process that has to live meanwhile.
    """
    deadline = time.monotonic() + seconds
    while not (answer := found()):
        if process is not None and process.poll() is not None:
            raise AssertionError(f"ended with {process.returncode}:\n{process.communicate()[1]}")
        assert time.monotonic() < deadline, f"nothing in {seconds} s"
        time.sleep(0.2)
    return answer


def end(process: subprocess.Popen[bytes], seconds: float = STOP_SECONDS) -> None:
    """End a process in an orderly way, or at once where that does not help.

    :param seconds: to wait for it.
    """
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
