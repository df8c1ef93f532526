"""A package index on the loopback interface, for tests: it answers as told, well or badly."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import html
import json
import ssl
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from ociwheel.fetch.simple_api import JSON_TYPE
from ociwheel_testing.loopback import LoopbackServer, SilentHandler


def sha256(data: bytes) -> str:
    """Return the SHA-256 of ``data``, hexadecimal."""
    return hashlib.sha256(data).hexdigest()


@dataclass(frozen=True)
class Answer:
    """One answer to one request."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    announced: int | None = None
    """The Content-Length to claim when it is not the body's."""
    stream: Callable[[], Iterator[bytes]] | None = None
    """Gives the body in pieces until the client leaves, without a length."""
    raw: bool = False
    """``stream`` gives the status line and the headers too."""


@dataclass(frozen=True)
class Offered:
    """One file of a project."""

    filename: str
    data: bytes
    metadata: bytes | None = None
    with_hash: bool = True
    yanked: bool = False
    listed_sha256: str | None = None
    """What the page claims, when it is not the truth."""

    @property
    def claimed(self) -> str | None:
        """The hash that the page gives."""
        return (self.listed_sha256 or sha256(self.data)) if self.with_hash else None


class SimpleIndex(LoopbackServer):
    """Serves ``/simple/NAME/`` and ``/files/NAME`` until the ``with`` block ends."""

    def __init__(
        self,
        projects: Mapping[str, list[Offered]] | None = None,
        *,
        as_json: bool = True,
        login: tuple[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.projects = dict(projects or {})
        self.as_json = as_json
        self.login = login
        self.script: dict[str, list[Answer]] = {}
        """Answers to give for a path, one after the other, before the usual one."""
        self.sent = 0
        """Bytes of bodies that clients took."""
        self.requests: list[tuple[str, dict[str, str]]] = []
        index = self

        class Handler(SilentHandler, BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                index.requests.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
                answer = index.answer(self.path, self.headers.get("Authorization"))
                if answer.raw and answer.stream:
                    self.pieces(answer.stream())
                    return
                length = len(answer.body) if answer.announced is None else answer.announced
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                if answer.stream is None:
                    self.send_header("Content-Length", str(length))
                self.end_headers()
                self.pieces(answer.stream() if answer.stream else iter([answer.body]))

            def pieces(self, given: Iterator[bytes]) -> None:
                with contextlib.suppress(OSError):
                    for piece in given:
                        self.wfile.write(piece)
                        index.sent += len(piece)

        super().__init__(Handler, tls=tls)
        self._scheme = "https" if tls else "http"

    @property
    def root(self) -> str:
        """The server's URL."""
        return f"{self._scheme}://{self.host}"

    @property
    def url(self) -> str:
        """The URL of the index."""
        return f"{self.root}/simple/"

    def paths(self) -> list[str]:
        """Return the paths that were asked for, in order."""
        return [path for path, _ in self.requests]

    def answer(self, path: str, authorization: str | None) -> Answer:
        """Return what to answer to a GET of ``path``."""
        scripted = self.script.get(path)
        if scripted:
            return scripted.pop(0)
        if self.login:
            wanted = "Basic " + base64.b64encode(":".join(self.login).encode()).decode()
            if authorization != wanted:
                return Answer(401, b"who are you?")
        parts = path.strip("/").split("/")
        if parts[0] == "simple" and len(parts) == 2 and parts[1] in self.projects:
            return self._page(self.projects[parts[1]])
        for files in self.projects.values():
            for file in files:
                if path == f"/files/{file.filename}":
                    return Answer(body=file.data)
                if path == f"/files/{file.filename}.metadata" and file.metadata is not None:
                    return Answer(body=file.metadata)
        return Answer(404, b"nothing here")

    def _page(self, files: list[Offered]) -> Answer:
        if self.as_json:
            body = json.dumps({"meta": {"api-version": "1.1"}, "files": [self._item(f) for f in files]})
            return Answer(body=body.encode(), headers={"Content-Type": JSON_TYPE})
        anchors = "".join(self._anchor(file) for file in files)
        page = f"<!DOCTYPE html><html><body>{anchors}</body></html>"
        return Answer(body=page.encode(), headers={"Content-Type": "text/html; charset=utf-8"})

    @staticmethod
    def _item(file: Offered) -> dict[str, Any]:
        return {
            "filename": file.filename,
            "url": f"../../files/{file.filename}",
            "hashes": {"sha256": file.claimed} if file.claimed else {},
            "size": len(file.data),
            "yanked": file.yanked,
            "core-metadata": {"sha256": sha256(file.metadata)} if file.metadata is not None else False,
        }

    @staticmethod
    def _anchor(file: Offered) -> str:
        fragment = f"#sha256={file.claimed}" if file.claimed else ""
        metadata = (
            f' data-core-metadata="sha256={sha256(file.metadata)}"' if file.metadata is not None else ""
        )
        yanked = ' data-yanked="bad"' if file.yanked else ""
        name = html.escape(file.filename)
        return f'<a href="../../files/{name}{fragment}"{metadata}{yanked}>{name}</a>\n'
