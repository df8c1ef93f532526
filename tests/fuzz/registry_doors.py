"""The doors of what registries, layouts and credential helpers answer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from email.message import Message
from io import BytesIO
from pathlib import Path
from typing import Any

from ociwheel.documents import canonical
from ociwheel.errors import FetchError
from ociwheel.image_name import ImageName
from ociwheel.registry import logins
from ociwheel.registry.client import INDEX_TYPES, MANIFEST_TYPES, RegistryClient
from ociwheel.registry.content import KnownRepositories
from ociwheel.registry.layout_source import LayoutName, LayoutSource
from ociwheel.registry.messages import Challenge, Request
from ociwheel.registry.resolve import resolve
from ociwheel.registry.session import Session
from ociwheel.transport.connection import Response
from ociwheel.transport.failure import Failure
from ociwheel.transport.settings import NetworkSettings
from tests.fuzz.harness import Door
from tests.fuzz.texts import json_maker, line_maker

_DIGEST = "sha256:" + "a" * 64
_GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
_CONFIG = {
    "os": "linux",
    "architecture": "amd64",
    "config": {"Env": ["PATH=/bin", "LANG=C.UTF-8"], "Labels": {"a": "b"}},
    "rootfs": {"type": "layers", "diff_ids": [_DIGEST]},
    "history": [{"created_by": "/bin/sh -c #(nop) ADD file"}],
}
_CONFIG_DIGEST = "sha256:" + hashlib.sha256(json.dumps(_CONFIG).encode()).hexdigest()
_MANIFEST = {
    "schemaVersion": 2,
    "mediaType": MANIFEST_TYPES[0],
    "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": _CONFIG_DIGEST, "size": 7},
    "layers": [{"mediaType": _GZIP, "digest": _DIGEST, "size": 5}],
}
_INDEX = {
    "schemaVersion": 2,
    "mediaType": INDEX_TYPES[0],
    "manifests": [
        {
            "mediaType": MANIFEST_TYPES[0],
            "digest": _DIGEST,
            "size": 9,
            "platform": {"os": "linux", "architecture": "amd64"},
            "annotations": {"a": "b"},
        }
    ],
}
_TOKEN = {"token": "abc", "expires_in": 300}
_ERRORS = {"errors": [{"code": "DENIED", "message": "no", "detail": {}}]}
_AUTHS = {
    "auths": {"h": {"auth": "am86eA=="}, "h/x": {"username": "u", "password": "p", "identitytoken": ""}},
    "credHelpers": {"g": "none-there"},
    "credsStore": "",
}
_PLACES = {"h": {_DIGEST: ["a/b", "c"]}}
_CHALLENGES = (
    "Bearer ",
    "realm",
    "=",
    '"',
    "https://h/token",
    ",",
    "service",
    "scope",
    "\\",
    " ",
    "Basic",
    "a",
    "x" * 99,
)


class _Raw(BytesIO):
    """An answer as urllib gives it."""

    def __init__(self, body: bytes, status: int, kind: str) -> None:
        super().__init__(body)
        self.status = status
        self.headers = Message()
        self.headers["Content-Type"] = kind


class _Session(Session):
    """Requests to a registry whose every answer comes from a function of the URL."""

    def __init__(self, answer: Callable[[str], tuple[int, bytes]]) -> None:
        super().__init__("h.example", NetworkSettings(), lambda _place: None, sleep=lambda _seconds: None)
        self._answer = answer

    def open(self, request: Request) -> Response:
        status, body = self._answer(request.url)
        return Response(request.url, _Raw(body, status, "text/plain"))


def _resolve(answer: Callable[[str], tuple[int, bytes]]) -> None:
    client = RegistryClient(_Session(answer), ImageName.parse("h.example/team/x:1"))
    canonical(resolve(client, ["linux/amd64"]).to_json())


def _root(data: bytes, folder: Path) -> None:
    _resolve(lambda url: (200, json.dumps(_CONFIG).encode() if "/blobs/" in url else data))


def _config(data: bytes, folder: Path) -> None:
    digest = "sha256:" + hashlib.sha256(data).hexdigest()
    manifest = {**_MANIFEST, "config": {**_MANIFEST["config"], "digest": digest}}  # type: ignore[dict-item]
    _resolve(lambda url: (200, data if "/blobs/" in url else json.dumps(manifest).encode()))


def _refusal(data: bytes, folder: Path) -> None:
    _resolve(lambda _url: (403, data))


def _token(data: bytes, folder: Path) -> None:
    session = _Session(lambda _url: (200, b"{}"))
    response = Response("https://h/token", _Raw(data, 200, "application/json"))
    session._connections.open = lambda *_args: response  # type: ignore[method-assign]
    try:
        session._token({"realm": "https://h/token", "service": "h"}, ("repository:x:pull",), None)
    except Failure as e:
        raise FetchError(str(e)) from e


def _challenge(data: bytes, folder: Path) -> None:
    headers = Message()
    for line in data.decode("latin-1")[:65536].splitlines():
        headers["WWW-Authenticate"] = line
    Challenge.choose(headers)


def _layout(data: bytes, folder: Path) -> None:
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (folder / "index.json").write_bytes(data)
    blobs = folder / "blobs/sha256"
    blobs.mkdir(parents=True)
    for document in (_CONFIG, _MANIFEST):
        body = json.dumps(document).encode()
        (blobs / hashlib.sha256(body).hexdigest()).write_bytes(body)
    canonical(resolve(LayoutSource(LayoutName.parse("oci:x"), folder), ["linux/amd64"]).to_json())


def _logins(data: bytes, folder: Path) -> None:
    (folder / "config.json").write_bytes(data)
    environ = {"DOCKER_CONFIG": str(folder), "PATH": "/nowhere"}
    for name in ("h/x:1", "g/y:1", "alpine"):
        logins.find_login(ImageName.parse(name), environ)
    logins.machine_environment({"OCIWHEEL_MACHINE": str(folder)})


def _known(data: bytes, folder: Path) -> None:
    (folder / "repositories").write_bytes(data)
    known = KnownRepositories.load(folder / "repositories")
    known.of("h", _DIGEST)
    known.add("h", _DIGEST, "z")
    known.save()


def _json_door(name: str, run: Callable[[bytes, Path], None], *good: Any) -> Door:
    return Door(name, run, lambda: _seeds(good), json_maker(good))


def _seeds(good: Sequence[Any]) -> Sequence[bytes]:
    return [json.dumps(item).encode() for item in good]


_MANIFEST_BYTES = json.dumps(_MANIFEST).encode()
_ENTRY = {
    "mediaType": MANIFEST_TYPES[0],
    "digest": "sha256:" + hashlib.sha256(_MANIFEST_BYTES).hexdigest(),
    "size": len(_MANIFEST_BYTES),
}
_NAMED = {**_ENTRY, "annotations": {"org.opencontainers.image.ref.name": "1"}}

DOORS = (
    _json_door("registry-manifest", _root, _MANIFEST, _INDEX),
    _json_door("registry-config", _config, _CONFIG),
    _json_door("registry-refusal", _refusal, _ERRORS),
    _json_door("registry-token", _token, _TOKEN),
    Door(
        "registry-challenge",
        _challenge,
        lambda: [b'Bearer realm="https://h/t",service="h"'],
        line_maker(_CHALLENGES),
    ),
    _json_door("layout-index", _layout, {"manifests": [_ENTRY]}, {"manifests": [_NAMED]}),
    _json_door("registry-logins", _logins, _AUTHS),
    _json_door("registry-repositories", _known, _PLACES),
)
