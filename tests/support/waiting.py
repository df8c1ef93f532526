"""Waiting for what another process does, and the start and end of servers."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Sequence
from typing import IO, Any

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


def serve(argv: Sequence[str], stdout: IO[bytes], stderr: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start a server, in a session of its own: an interrupted test ends it in an orderly way, not the terminal.

    A test run that is killed ends it too: Linux tells it when the thread that started it is no more.
    """
    return subprocess.Popen(
        ["setpriv", "--pdeathsig", "TERM", "--", *argv],
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        start_new_session=True,
    )


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
