"""A real remote cache: BuildGrid, which speaks the Remote Execution API (REAPI v2), on the loopback interface."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.environments import environment
from tests.support.waiting import end, serve

LOCK = "3rdparty/python/buildgrid.lock"
PYTHON = "3.13"
INSTANCE = "main"
SECRET = "only these tests know it"
START_SECONDS = 60

_CONFIGURATION = """\
server:
  - !channel
    address: {address}
{security}
authorization: {authorization}
monitoring: {{ enabled: false }}
instances:
  - name: {instance}
    storages:
      - !disk-storage &cas
        path: {cas}
    caches:
      - !lru-action-cache &ac
        storage: *cas
        max-cached-refs: 100000
        allow-updates: true
        cache-failed-actions: false
    services:
      - !cas {{ storage: *cas }}
      - !bytestream {{ storage: *cas }}
      - !action-cache {{ cache: *ac }}
thread-pool-size: 300
"""


class ServerError(Exception):
    """The server did not start."""


def free_port() -> int:
    """Return a port of the loopback interface that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        assert isinstance(port, int)
        return port


def wait_for_port(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until a server that has just been started listens.

    :raises ServerError: when it ends or takes too long, with the end of its log.
    """
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.1)
    raise ServerError(f"nothing listens on port {port}; the end of {log}:\n{log.read_text()[-2000:]}")


def token(secret: str = SECRET, *, seconds: int = 3600) -> str:
    """Return a JSON Web Token (RFC 7519, HS256) that is valid for some time."""

    def part(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    claims = {"sub": "a test", "exp": int(time.time()) + seconds}
    signed = ".".join(part(json.dumps(each).encode()) for each in ({"alg": "HS256", "typ": "JWT"}, claims))
    return f"{signed}.{part(hmac.new(secret.encode(), signed.encode(), hashlib.sha256).digest())}"


def bearer_token(file: Path) -> dict[str, str]:
    """Return the variables that name the file of a token: Pants 2.17's, and that of 2.23 and later."""
    return {
        "PANTS_REMOTE_OAUTH_BEARER_TOKEN_PATH": str(file),
        "PANTS_REMOTE_OAUTH_BEARER_TOKEN": f"@{file}",
    }


def write_certificate(folder: Path) -> tuple[Path, Path]:
    """Write a key and a certificate for ``localhost`` that signs itself; return their files."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    options = ["-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    names = ["-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(["openssl", "req", "-x509", *options, *names, *files], check=True, capture_output=True)
    return key, certificate


@dataclass
class BuildGrid:
    """A cache of a test's own; everything it keeps is below ``folder``.

    :ivar secure: serve TLS, and ask for a token.
    """

    folder: Path
    secure: bool = False
    port: int = field(default_factory=free_port)
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def address(self) -> str:
        """Where the server listens, as ``[GLOBAL].remote_store_address`` has it."""
        return f"grpcs://localhost:{self.port}" if self.secure else f"grpc://127.0.0.1:{self.port}"

    @property
    def cas(self) -> Path:
        """The folder of the blobs."""
        return self.folder / "cas"

    def blob(self, digest: str) -> Path:
        """Return the file of a blob, ``sha256:...``."""
        number = digest.partition(":")[2]
        return self.cas / "cas" / "objects" / number[:2] / number[2:]

    def environment(self) -> dict[str, str]:
        """Return the variables that make Pants read and write this cache."""
        chosen = {
            "PANTS_REMOTE_STORE_ADDRESS": self.address,
            "PANTS_REMOTE_INSTANCE_NAME": INSTANCE,
            "PANTS_REMOTE_CACHE_READ": "true",
            "PANTS_REMOTE_CACHE_WRITE": "true",
            "PANTS_REMOTE_CACHE_RPC_TIMEOUT_MILLIS": "30000",
            "PANTS_SESSION_END_TASKS_TIMEOUT": "60",
            "PANTS_STATS_LOG": "true",
        }
        if self.secure:
            (self.folder / "token").write_text(token())
            chosen["PANTS_REMOTE_CA_CERTS_PATH"] = str(self.folder / "certificate.pem")
            chosen.update(bearer_token(self.folder / "token"))
        return chosen

    def _write_configuration(self) -> Path:
        security, authorization = "    insecure-mode: true", "{ method: none }"
        if self.secure:
            key, certificate = write_certificate(self.folder)
            security = (
                "    insecure-mode: false\n    credentials:\n"
                f"      tls-server-key: {json.dumps(str(key))}\n"
                f"      tls-server-cert: {json.dumps(str(certificate))}"
            )
            secret = self.folder / "secret"
            secret.write_text(SECRET)
            authorization = f"{{ method: jwt, algorithm: hs256, secret: {json.dumps(str(secret))} }}"
        file = self.folder / "server.yml"
        file.write_text(
            _CONFIGURATION.format(
                address=f"{'localhost' if self.secure else '127.0.0.1'}:{self.port}",
                security=security,
                authorization=authorization,
                instance=INSTANCE,
                cas=json.dumps(str(self.cas)),
            )
        )
        return file

    def start(self) -> None:
        """Start the server and wait until it listens.

        :raises ServerError: when it does not.
        """
        self.cas.mkdir(parents=True, exist_ok=True)
        bgd = environment(PYTHON, LOCK) / "bin" / "bgd"
        log = self.folder / "log"
        with log.open("wb") as file:
            command = [str(bgd), "server", "start", str(self._write_configuration())]
            self._process = serve(command, file, file)
        try:
            wait_for_port(self.port, self._process, log)
        except ServerError:
            self.stop()
            raise

    def kill(self) -> None:
        """End the server as a machine that loses its power does. Its actions are gone, its blobs are not."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        """End the server."""
        if self._process is not None:
            end(self._process)


@contextlib.contextmanager
def running(folder: Path, *, secure: bool = False) -> Iterator[BuildGrid]:
    """Give a running server."""
    server = BuildGrid(folder, secure)
    server.start()
    try:
        yield server
    finally:
        server.stop()
