import signal
import subprocess
import sys
from pathlib import Path

from tests.support.waiting import wait_for

ROOT = Path(__file__).parents[2]
PROGRAM = """
import sys, time
from tests.support.waiting import serve
print(serve(["sleep", "600"], sys.stdout.buffer, sys.stderr.buffer).pid, flush=True)
time.sleep(600)
"""


def has_ended(process: Path) -> bool:
    """Tell whether a process is gone, or waits for its parent to see that it ended."""
    try:
        return "State:\tZ" in (process / "status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_a_server_ends_with_a_test_run_that_is_killed() -> None:
    command = [sys.executable, "-c", PROGRAM]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        server = Path("/proc", run.stdout.readline().strip())
        wait_for(lambda: (server / "comm").read_text() == "sleep\n", 30)
        run.send_signal(signal.SIGKILL)
        run.wait()
        wait_for(lambda: has_ended(server), 30)
