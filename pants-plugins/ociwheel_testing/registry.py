"""A container registry on the loopback interface, for tests: it answers as told, well or badly."""

from __future__ import annotations

import base64
import gzip
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from ociwheel.digest import Digest
from ociwheel_testing.loopback import LoopbackServer, SilentHandler

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def digest_of(data: bytes) -> Digest:
    """Return the digest of some bytes."""
    return Digest.of(data)


@dataclass(frozen=True)
class Entry:
    """One entry of a made-up layer."""

    path: str
    content: bytes = b""
    type: bytes = tarfile.REGTYPE
    link: str = ""
    mode: int = 0o644


def tar(entries: Sequence[Entry]) -> bytes:
    """Return an archive of entries, in their order."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for entry in entries:
            info = tarfile.TarInfo(entry.path)
            info.type, info.linkname, info.mode = entry.type, entry.link, entry.mode
            info.size = len(entry.content) if entry.type == tarfile.REGTYPE else 0
            archive.addfile(info, io.BytesIO(entry.content))
    return stream.getvalue()


@dataclass(frozen=True)
class Layer:
    """A made-up layer's blob."""

    archive: bytes

    @property
    def blob(self) -> bytes:
        """The compressed archive."""
        return gzip.compress(self.archive, mtime=0)

    @property
    def diff_id(self) -> Digest:
        """The digest of the archive."""
        return digest_of(self.archive)

    def row(self) -> dict[str, Digest]:
        """Return the layer as a request has it."""
        return {"digest": digest_of(self.blob), "diff_id": self.diff_id}


@dataclass(frozen=True)
class Answer:
    """One answer to one request."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    announced: int | None = None
    """The Content-Length to claim when it is not the body's."""


class FakeRegistry(LoopbackServer):
    """Serves documents and blobs of any repository until the ``with`` block ends.

    :param login: user and password that a token costs; without one everybody may read.
    """

    def __init__(self, *, login: tuple[str, str] | None = None, basic: bool = False) -> None:
        self.manifests: dict[str, bytes] = {}
        """Documents by digest and by tag."""
        self.blobs: dict[str, bytes] = {}
        self.login = login
        self.basic = basic
        self.script: dict[str, list[Answer]] = {}
        """Answers to give for a path, one after the other, before the usual one."""
        self.requests: list[tuple[str, dict[str, str]]] = []
        registry = self

        class Handler(SilentHandler, BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                registry.requests.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
                answer = registry.answer(self.path, self.headers.get("Authorization"))
                self.send_response(answer.status)
                length = len(answer.body) if answer.announced is None else answer.announced
                for name, value in {"Content-Length": str(length), **answer.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer.body)

        super().__init__(Handler)

    def paths(self) -> list[str]:
        """Return the paths that were asked for, in order."""
        return [path for path, _ in self.requests]

    def add_blob(self, data: bytes) -> Digest:
        """Keep a blob and return its digest."""
        self.blobs[digest_of(data)] = data
        return digest_of(data)

    def add_manifest(self, value: Any, tag: str | None = None) -> dict[str, Any]:
        """Keep a manifest or an index, and return its descriptor."""
        data = json.dumps(value).encode()
        for key in (digest_of(data), *([tag] if tag else [])):
            self.manifests[key] = data
        return {"mediaType": value["mediaType"], "digest": digest_of(data), "size": len(data)}

    def add_image(
        self,
        layers: Sequence[Layer],
        platform: Mapping[str, str],
        *,
        config: Mapping[str, Any] | None = None,
        run_time: Mapping[str, Any] | None = None,
        tag: str | None = None,
    ) -> dict[str, Any]:
        """Keep an image of one platform, and return its descriptor with the platform.

        :param config: fields of the image configuration that replace the right ones.
        :param run_time: the configuration's own ``config``.
        """
        full = {
            **platform,
            "config": dict(run_time or {}),
            "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]},
            "history": [{"created_by": f"RUN layer {n}"} for n, _ in enumerate(layers)],
            **(config or {}),
        }
        data = json.dumps(full).encode()
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                "digest": self.add_blob(data),
                "size": len(data),
            },
            "layers": [
                {"mediaType": LAYER, "digest": self.add_blob(layer.blob), "size": len(layer.blob)}
                for layer in layers
            ],
        }
        return {**self.add_manifest(manifest, tag), "platform": dict(platform)}

    def add_index(self, manifests: Sequence[Mapping[str, Any]], tag: str) -> dict[str, Any]:
        """Keep an index under a tag."""
        value = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [dict(m) for m in manifests]}
        return self.add_manifest(value, tag)

    def answer(self, path: str, authorization: str | None) -> Answer:
        """Return what to answer to a GET of ``path``."""
        if self.script.get(path):
            return self.script[path].pop(0)
        if path.startswith("/token"):
            return self._token(authorization)
        refusal = self._refusal(authorization)
        if refusal:
            return refusal
        kind, reference = path.split("/")[-2:]
        found = (self.manifests if kind == "manifests" else self.blobs).get(reference)
        if found is None:
            return Answer(404, b'{"errors":[{"code":"MANIFEST_UNKNOWN"}]}')
        if kind == "blobs":
            return Answer(200, found, {"Content-Type": "application/octet-stream"})
        return Answer(200, found, {"Content-Type": json.loads(found).get("mediaType", MANIFEST)})

    def _credentials(self) -> str:
        user, password = self.login or ("", "")
        return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()

    def _token(self, authorization: str | None) -> Answer:
        if authorization != self._credentials():
            return Answer(401, b"{}")
        return Answer(200, b'{"token":"ticket"}')

    def _refusal(self, authorization: str | None) -> Answer | None:
        if self.login is None:
            return None
        if self.basic:
            challenge = 'Basic realm="here"'
            return None if authorization == self._credentials() else self._challenge(challenge)
        challenge = (
            f'Bearer realm="http://{self.host}/token",service="fake",scope="repository:team/python:pull"'
        )
        return None if authorization == "Bearer ticket" else self._challenge(challenge)

    @staticmethod
    def _challenge(challenge: str) -> Answer:
        return Answer(401, b"{}", {"WWW-Authenticate": challenge})
