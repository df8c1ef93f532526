"""A container registry of a test's own: Debian's docker-registry on the loopback interface, and its log."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.engine import EngineError, find_tool

START_SECONDS = 30
# Combined log format: host, time, "METHOD path protocol", status.
_ACCESS = re.compile(r'"(GET|HEAD|POST|PUT|PATCH|DELETE) (/v2/\S*) HTTP/[\d.]+" (\d{3})')

_CONFIG = """\
version: 0.1
log: {{level: warn, accesslog: {{disabled: false}}}}
storage: {{filesystem: {{rootdirectory: {folder}/data}}, delete: {{enabled: true}}}}
http: {{addr: 127.0.0.1:{port}}}
"""


@dataclass(frozen=True)
class Access:
    """One request that the registry answered."""

    method: str
    path: str
    status: int


@dataclass
class Registry:
    """A registry that keeps everything below ``folder``."""

    folder: Path
    port: int = 0
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def host(self) -> str:
        """The registry's name in names of images."""
        return f"127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        """The file with what the registry printed, one line per request among it."""
        return self.folder / "log"

    def start(self) -> None:
        """Start it and wait until it answers.

        :raises EngineError: it does not, with the end of its log.
        """
        program = find_tool("docker-registry")
        if program is None:
            raise EngineError("no docker-registry on this machine\n  -> apt-get install docker-registry")
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        config = self.folder / "config.yml"
        config.write_text(_CONFIG.format(folder=self.folder, port=self.port))
        with self.log.open("wb") as log:
            env = {"PATH": os.environ["PATH"], "OTEL_TRACES_EXPORTER": "none"}
            self._process = subprocess.Popen(
                [program, "serve", str(config)], stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise EngineError(f"docker-registry did not start:\n{self.log.read_text(errors='replace')}")
            time.sleep(0.05)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://{self.host}/v2/", timeout=5) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def stop(self) -> None:
        """Stop it."""
        if self._process and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def requests(self, since: int = 0) -> list[Access]:
        """Return the requests of the log, in order.

        :param since: how many to leave out at the start.
        """
        text = self.log.read_text(errors="replace")
        found = [Access(m, path, int(status)) for m, path, status in _ACCESS.findall(text)]
        return found[since:]


def free_port() -> int:
    """Return a port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert isinstance(port, int)
    return port
