"""A package index and a Debian mirror on the loopback interface, filled once, so that no network is measured.

A page or file that is not there yet is fetched as this machine is configured to, and kept. How often that
happened is counted: a measurement during which it did is made again.
"""

from __future__ import annotations

import contextlib
import hashlib
import html
import json
import os
import shutil
import threading
import urllib.parse
from collections.abc import Iterator
from dataclasses import asdict
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from ociwheel.fetch.index import IndexClient
from ociwheel.fetch.simple_api import JSON_TYPE, IndexFile, normalize
from ociwheel.transport.download import WrongContentError, download
from ociwheel.transport.failure import Failure
from ociwheel.transport.settings import from_machine

HTML_TYPE = "text/html"
_METADATA = ".metadata"


class Mirror:
    """What has been fetched, in a folder.

    :param folder: kept from run to run.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.misses = 0
        self.served = 0
        self._settings = from_machine(os.environ)
        self._client = IndexClient(self._settings)
        self._guard = threading.Lock()
        self._pages: dict[tuple[str, str, str], bytes] = {}
        self._locks: dict[Path, threading.Lock] = {}

    def count(self, size: int) -> None:
        """Count bytes that a client got."""
        with self._guard:
            self.served += size

    @contextlib.contextmanager
    def _filling(self, path: Path) -> Iterator[bool]:
        """Tell whether a file has to be made, and let nobody else make it meanwhile."""
        with self._guard:
            lock = self._locks.setdefault(path, threading.Lock())
        with lock:
            missing = not path.exists()
            if missing:
                path.parent.mkdir(parents=True, exist_ok=True)
                with self._guard:
                    self.misses += 1
            yield missing

    def files(self, name: str) -> list[IndexFile]:
        """Return what the machine's indexes offer of a project."""
        page = self.folder / "pages" / f"{normalize(name)}.json"
        with self._filling(page) as missing:
            if missing:
                found: dict[str, IndexFile] = {}
                for offer in self._client.offers(name):
                    for file in offer.files:
                        found.setdefault(file.filename, file)
                part = page.with_suffix(".part")
                part.write_text(json.dumps([asdict(file) for file in found.values()]))
                part.rename(page)
            return [IndexFile(**entry) for entry in json.loads(page.read_text())]

    def page(self, name: str, kind: str, address: str) -> bytes:
        """Return a project's page, empty when there is no such project.

        :param kind: :data:`JSON_TYPE` or :data:`HTML_TYPE`.
        :param address: of the server: the files of large public indexes have absolute URLs, too.
        """
        key = normalize(name), kind, address
        if key not in self._pages:
            files = self.files(name)
            render = _json_page if kind == JSON_TYPE else _html_page
            self._pages[key] = render(name, files, address) if files else b""
        return self._pages[key]

    def artifact(self, name: str, filename: str) -> Path | None:
        """Return a file of a project, or its metadata (PEP 658)."""
        plain = filename.removesuffix(_METADATA)
        path = self.folder / "files" / normalize(name) / filename
        for file in self.files(name):
            if file.filename == plain:
                metadata = filename != plain
                url = file.url.partition("#")[0] + (_METADATA if metadata else "")
                return self._fetch(url, path, None if metadata else file.sha256)
        return None

    def package(self, archive: str, place: str) -> Path | None:
        """Return a file of a Debian archive."""
        if ".." in Path(place).parts:
            return None
        path = self.folder / archive / place
        for mirror in self._settings.debian_mirrors.get(archive, ()):
            if found := self._fetch(f"{mirror.rstrip('/')}/{urllib.parse.quote(place, safe='/+~:')}", path):
                return found
        return path if path.exists() else None

    def _fetch(self, url: str, path: Path, sha256: str | None = None) -> Path | None:
        with self._filling(path) as missing:
            if missing:
                try:
                    download(self._client.network, url, path, sha256=sha256)
                except (Failure, WrongContentError):
                    return None
            return path


def _html_page(name: str, files: list[IndexFile], address: str) -> bytes:
    """Return a project's page as PEP 503 has it."""
    lines = ["<!DOCTYPE html>", f"<title>{html.escape(name)}</title>"]
    for file in files:
        extra = f"#sha256={file.sha256}" if file.sha256 else ""
        attributes = ""
        if file.requires_python:
            attributes += f' data-requires-python="{html.escape(file.requires_python)}"'
        if file.yanked:
            attributes += ' data-yanked=""'
        if file.has_metadata:
            value = f"sha256={file.metadata_sha256}" if file.metadata_sha256 else "true"
            attributes += f' data-dist-info-metadata="{value}" data-core-metadata="{value}"'
        link = f"{address}/files/{normalize(name)}/{urllib.parse.quote(file.filename)}{extra}"
        lines.append(f'<a href="{link}"{attributes}>{html.escape(file.filename)}</a><br>')
    return "\n".join(lines).encode()


def _json_page(name: str, files: list[IndexFile], address: str) -> bytes:
    """Return a project's page as PEP 691 has it."""
    entries = []
    for file in files:
        entry: dict[str, object] = {
            "filename": file.filename,
            "url": f"{address}/files/{normalize(name)}/{urllib.parse.quote(file.filename)}",
            "hashes": {"sha256": file.sha256} if file.sha256 else {},
            "yanked": file.yanked,
        }
        if file.requires_python:
            entry["requires-python"] = file.requires_python
        if file.size is not None:
            entry["size"] = file.size
        if file.has_metadata:
            entry["core-metadata"] = {"sha256": file.metadata_sha256} if file.metadata_sha256 else True
        entries.append(entry)
    return json.dumps({"meta": {"api-version": "1.1"}, "name": normalize(name), "files": entries}).encode()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    mirror: Mirror

    def do_HEAD(self) -> None:
        """Answer without a body: uv asks for headers before it reads a wheel's metadata."""
        self.do_GET()

    def do_GET(self) -> None:
        path = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path)
        parts = path.strip("/").split("/")
        if parts[0] == "simple" and len(parts) == 2:
            # As large public indexes do: JSON for whoever asks for it, which is faster to read.
            kind = JSON_TYPE if JSON_TYPE in self.headers.get("Accept", "") else HTML_TYPE
            page = self.mirror.page(parts[1], kind, f"http://{self.headers['Host']}")
            self._send(page, kind) if page else self._missing()
        elif parts[0] == "files" and len(parts) == 3:
            self._send_file(self.mirror.artifact(parts[1], parts[2]))
        elif parts[0] in ("debian", "debian-security") and len(parts) > 1:
            self._send_file(self.mirror.package(parts[0], "/".join(parts[1:])))
        else:
            self._missing()

    def _head(self, size: int, kind: str, tag: str) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(size))
        self.send_header("ETag", f'"{tag}"')
        self.end_headers()
        if self.command == "GET":
            self.mirror.count(size)

    def _send(self, body: bytes, kind: str) -> None:
        self._head(len(body), kind, hashlib.sha256(body).hexdigest())
        if self.command == "GET":
            self.wfile.write(body)

    def _send_file(self, path: Path | None) -> None:
        if path is None:
            self._missing()
            return
        with path.open("rb") as source:
            self._head(path.stat().st_size, "application/octet-stream", path.name)
            if self.command == "GET":
                shutil.copyfileobj(source, self.wfile, 1 << 18)

    def _missing(self) -> None:
        self.send_response(HTTPStatus.NOT_FOUND)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the name is the base class's
        """Say nothing: what counts is counted."""


class MirrorServer(ThreadingHTTPServer):
    """Serves a mirror on a port of the loopback interface."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, mirror: Mirror, port: int) -> None:
        super().__init__(("127.0.0.1", port), type("Handler", (_Handler,), {"mirror": mirror}))
        self.mirror = mirror
        self.address = f"http://127.0.0.1:{self.server_port}"

    @property
    def index(self) -> str:
        """The URL of the package index."""
        return f"{self.address}/simple/"

    @property
    def debian(self) -> dict[str, list[str]]:
        """The Debian mirrors, as ``[slim-image].debian_mirrors`` has them."""
        return {name: [f"{self.address}/{name}"] for name in ("debian", "debian-security")}


@contextlib.contextmanager
def serving(folder: Path, port: int = 0) -> Iterator[MirrorServer]:
    """Give a running mirror."""
    server = MirrorServer(Mirror(folder), port)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
