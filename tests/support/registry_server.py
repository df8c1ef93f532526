"""A registry of a test's own: Debian's `docker-registry` on the loopback interface, with its access log."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.waiting import serve

START_SECONDS = 20
PACKAGE = "docker-registry"

# Apache's combined format, which the registry writes to its standard output.
_LINE = re.compile(
    r'^(?P<peer>\S+) .*?"(?P<method>[A-Z]+) (?P<path>\S+) HTTP/[\d.]+" (?P<status>\d+) ', re.MULTILINE
)
# The user ali, and bcrypt of "open sesame".
USERS = "ali:$2b$04$GNyXG0y7429tp6NlQXeghuUyp0ko0wti7d9KBnAhBYzQr5QZbX60i\n"
_INDEX = "application/vnd.oci.image.index.v1+json"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def free_port() -> int:
    """Return a port of the loopback interface that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        assert isinstance(port, int)
        return port


@dataclass(frozen=True)
class Access:
    """One line of the access log."""

    method: str
    path: str
    status: int

    @property
    def writes(self) -> bool:
        """Whether the request sent a blob or a manifest, or tried to."""
        return self.method in ("PUT", "PATCH", "POST")

    @property
    def sent_blob(self) -> str | None:
        """The digest of the blob that this request completed."""
        found = re.search(r"/blobs/uploads/.*digest=(sha256(?::|%3A)[0-9a-f]{64})", self.path)
        done = found and self.method == "PUT" and self.status == 201
        return found.group(1).replace("%3A", ":") if found and done else None

    @property
    def mounted_blob(self) -> str | None:
        """The digest of the blob that this request mounted from another repository."""
        found = re.search(r"mount=(sha256(?::|%3A)[0-9a-f]{64})", self.path)
        done = found and self.method == "POST" and self.status == 201
        return found.group(1).replace("%3A", ":") if found and done else None

    @property
    def sent_manifest(self) -> str | None:
        """The tag or digest of the manifest that this request stored."""
        found = re.search(r"/manifests/([^/?]+)$", self.path)
        return found.group(1) if found and self.method == "PUT" and self.status == 201 else None


@dataclass
class Registry:
    """A running registry, with everything it keeps below ``folder``."""

    folder: Path
    port: int = field(default_factory=free_port)
    users: Path | None = None
    """An htpasswd file; without one, everybody may read and write."""
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    _seen: int = 0

    @property
    def host(self) -> str:
        """The registry's address, as image names have it."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        program = shutil.which("docker-registry") or "/usr/bin/docker-registry"
        config: dict[str, Any] = {
            "version": "0.1",
            "log": {"level": "error", "accesslog": {"disabled": False}},
            "storage": {
                "filesystem": {"rootdirectory": str(self.folder / "storage")},
                "delete": {"enabled": True},
            },
            "http": {"addr": self.host},
        }
        if self.users is not None:
            config["auth"] = {"htpasswd": {"realm": "test", "path": str(self.users)}}
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "config.yml").write_text(json.dumps(config))  # JSON is YAML
        with (self.folder / "log").open("ab") as log, (self.folder / "access").open("ab") as access:
            self._process = serve([program, "serve", str(self.folder / "config.yml")], access, log)
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                log_text = (self.folder / "log").read_text(errors="replace")
                raise AssertionError(f"the registry did not start; apt-get install {PACKAGE}?\n{log_text}")
            time.sleep(0.05)
        self.accesses()

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection(self.host, timeout=2)
        with contextlib.suppress(OSError), contextlib.closing(connection):
            connection.request("GET", "/v2/")
            return connection.getresponse().status in (200, 401)
        return False

    def stop(self) -> None:
        """Stop it."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait(10)

    def accesses(self) -> list[Access]:
        """Return what was asked since the last call."""
        time.sleep(0.05)  # a line is written after its answer
        text = (self.folder / "access").read_bytes().decode(errors="replace")
        new, self._seen = text[self._seen :], len(text)
        return [Access(m["method"], m["path"], int(m["status"])) for m in _LINE.finditer(new)]

    def get(self, path: str, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
        """Ask for a path below ``/v2/`` and return status, headers by lower-case name, and body."""
        connection = http.client.HTTPConnection(self.host, timeout=10)
        with contextlib.closing(connection):
            connection.request(method, f"/v2/{path}", headers={"Accept": f"{_INDEX}, {_MANIFEST}"})
            answer = connection.getresponse()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()

    def tag(self, repository: str, tag: str) -> str | None:
        """Return the digest that a tag names."""
        status, headers, _ = self.get(f"{repository}/manifests/{tag}", "HEAD")
        return headers["docker-content-digest"] if status == 200 else None

    def manifest(self, repository: str, reference: str) -> Any:
        """Return a manifest or an index."""
        status, _, body = self.get(f"{repository}/manifests/{reference}")
        assert status == 200, (repository, reference, status)
        return json.loads(body)

    def lose(self, repository: str, digest: str) -> None:
        """Lose a blob of a repository, as one that was collected, or whose disk failed."""
        number = digest.partition(":")[2]
        storage = self.folder / "storage/docker/registry/v2"
        shutil.rmtree(storage / "repositories" / repository / "_layers/sha256" / number)
        shutil.rmtree(storage / "blobs/sha256" / number[:2] / number)

    def check_complete(self, repository: str, reference: str) -> int:
        """Check that everything that a reference leads to is there; return the number of blobs."""
        document = self.manifest(repository, reference)
        if "manifests" in document:
            return sum(self.check_complete(repository, one["digest"]) for one in document["manifests"])
        blobs = [document["config"], *document["layers"]]
        for blob in blobs:
            status, headers, _ = self.get(f"{repository}/blobs/{blob['digest']}", "HEAD")
            assert status == 200, (repository, blob)
            assert int(headers["content-length"]) == blob["size"]
        return len(blobs)


@contextlib.contextmanager
def running_registry(folder: Path, users: Path | None = None) -> Iterator[Registry]:
    """Give a running registry."""
    registry = Registry(folder, users=users)
    registry.start()
    try:
        yield registry
    finally:
        registry.stop()


def login(file: Path, host: str, secret: str) -> None:
    """Write a login as `docker login` and `podman login` do."""
    file.parent.mkdir(parents=True, exist_ok=True)
    auth = base64.b64encode(secret.encode()).decode()
    file.write_text(json.dumps({"auths": {host: {"auth": auth}}}))
