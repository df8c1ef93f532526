"""The Docker engine that builds, loads and measures: nobody else's, and without a network of its own."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from tests.support.engine import START_SECONDS, Engine, EngineError, find_tool

# Asked from inside, because a container without a network has no port to ask from outside.
ASK_HEALTH = (
    "import urllib.request as r; print(r.urlopen('http://127.0.0.1:5000/health', timeout=5).read().decode())"
)
HEALTH_SECONDS = 60


class BridgelessEngine(Engine):
    """An engine that leaves the machine's bridges and packet filter to the engines that are there already."""

    def start(self) -> None:
        """Start the daemon and wait until it answers.

        :raises EngineError: when it does not, with the end of its log.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        command = [
            find_tool("dockerd") or "dockerd",
            *("--host", self.address),
            *("--data-root", str(self.folder / "data")),
            *("--exec-root", str(self.folder / "exec")),
            *("--pidfile", str(self.folder / "pid")),
            *("--bridge", "none", "--iptables=false"),
        ]
        with (self.folder / "log").open("wb") as log:
            self._daemon = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + START_SECONDS
        while self.call("version").returncode != 0:
            if self._daemon.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise EngineError(f"dockerd did not start; the end of its log:\n{self.log_end()}")
            time.sleep(0.2)

    def import_base(self, tarball: Path, name: str) -> None:
        """Make an image of one layer out of a file system."""
        self.docker("import", "--change", "ENV LANG=C.UTF-8", str(tarball), name)

    def check_health(self, image: str, python: str) -> str:
        """Start an image as in production and return what ``/health`` answers.

        :param python: the interpreter inside.
        :raises EngineError: when it does not answer; with what the container printed.
        """
        options = ("--detach", "--network", "none", "--read-only", "--cap-drop", "ALL")
        number = self.docker("run", *options, image).strip()
        try:
            deadline = time.monotonic() + HEALTH_SECONDS
            while time.monotonic() < deadline:
                answer = self.call("exec", number, python, "-c", ASK_HEALTH)
                if answer.returncode == 0:
                    return answer.stdout.strip()
                time.sleep(0.5)
            printed = self.docker("logs", number, merge=True)
            raise EngineError(f"{image}: no answer from /health; the container printed:\n{printed}")
        finally:
            self.call("rm", "--force", "--volumes", number)
