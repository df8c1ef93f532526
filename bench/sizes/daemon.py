"""What the measurement asks of its Docker engine: a base of one layer, and health from inside."""

from __future__ import annotations

import time
from pathlib import Path

from tests.support.engine import Engine, EngineError

# Asked from inside, because a container without a network has no port to ask from outside.
ASK_HEALTH = (
    "import urllib.request as r; print(r.urlopen('http://127.0.0.1:5000/health', timeout=5).read().decode())"
)
HEALTH_SECONDS = 60


class MeasuredEngine(Engine):
    """An engine whose containers have no network."""

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
