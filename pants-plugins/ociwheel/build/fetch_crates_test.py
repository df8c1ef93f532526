from __future__ import annotations

import hashlib
import io
import json
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from ociwheel.build.crates import CHECKSUM_FILE, Crate
from ociwheel.build.fetch_crates import crate_url, fetch_crates
from ociwheel.build.vendor import vendor
from ociwheel.errors import BuildError, FetchError
from ociwheel.transport.cargo_config import CrateSource
from ociwheel.transport.network import Network
from ociwheel.transport.settings import NetworkSettings


def packed(name: str, version: str, folder: str | None = None) -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as archive:
        for path, text in {"Cargo.toml": f'[package]\nname = "{name}"\n', "src/lib.rs": ""}.items():
            info = tarfile.TarInfo(f"{folder or f'{name}-{version}'}/{path}")
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text.encode()))
    return data.getvalue()


DATA = packed("memchr", "2.7.4")
MEMCHR = Crate("memchr", "2.7.4", hashlib.sha256(DATA).hexdigest())


class Registry:
    """Answers of a registry by path, and a URL of it."""

    def __init__(self) -> None:
        self.answers: dict[str, bytes] = {}
        self.statuses: dict[str, int] = {}
        self.missing: dict[str, int] = {}
        """Bytes that an answer lacks at its end, by path."""
        made = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = made.answers.get(self.path)
                self.send_response(made.statuses.get(self.path, 200 if body is not None else 404))
                missing = made.missing.get(self.path, 0)
                self.send_header("Content-Length", str(len(body or b"") + missing))
                self.end_headers()
                self.wfile.write(body or b"")
                self.close_connection = missing > 0

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def registry() -> Iterator[Registry]:
    made = Registry()
    made.answers["/config.json"] = json.dumps({"dl": f"{made.url}crates"}).encode()
    made.answers["/crates/memchr/2.7.4/download"] = DATA
    yield made
    made.server.shutdown()
    made.server.server_close()


def fetch(registry: Registry, folder: Path, *crates: Crate) -> int:
    network = Network(NetworkSettings(), sleep=lambda _: None)
    return fetch_crates(network, CrateSource(registry.url, "a test"), crates, folder)


def test_crates_are_fetched_and_verified(registry: Registry, tmp_path: Path) -> None:
    assert fetch(registry, tmp_path, MEMCHR) == len(DATA)
    assert (tmp_path / "memchr-2.7.4.crate").read_bytes() == DATA


def test_all_crates_that_are_not_given_are_told_together(registry: Registry, tmp_path: Path) -> None:
    gone, other = Crate("gone", "1.0.0", "a" * 64), Crate("memchr", "2.7.4", "b" * 64)
    with pytest.raises(FetchError) as caught:
        fetch(registry, tmp_path, gone, other)
    said = str(caught.value).splitlines()
    assert said[0] == "crates: the crates registry does not give 2 of the locked crates"
    assert said[1].startswith(f"  gone 1.0.0: {registry.url}crates/gone/1.0.0/download: answered 404")
    assert f"has it with SHA-256 {MEMCHR.sha256}, locked is {'b' * 64}" in said[2]
    assert list(tmp_path.iterdir()) == []


CRATE = "/crates/memchr/2.7.4/download"


def test_a_crate_of_another_content(registry: Registry, tmp_path: Path) -> None:
    registry.answers[CRATE] = other = packed("memchr", "2.7.5")
    with pytest.raises(FetchError) as caught:
        fetch(registry, tmp_path, MEMCHR)
    found = hashlib.sha256(other).hexdigest()
    assert str(caught.value) == (
        "crates: the crates registry does not give 1 of the locked crates\n"
        f"  memchr 2.7.4: {registry.url}crates/memchr/2.7.4/download has it with SHA-256 {found}, locked is "
        f"{MEMCHR.sha256}\n"
        "  -> either the file was tampered with, or it was uploaded again: find out which before you lock again"
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", ["/config.json", CRATE])
def test_an_answer_that_breaks_off(registry: Registry, tmp_path: Path, path: str) -> None:
    registry.missing[path] = 9
    size = len(registry.answers[path])
    with pytest.raises(FetchError) as caught:
        fetch(registry, tmp_path, MEMCHR)
    assert f"{path}: the connection ended after {size} of {size + 9} bytes" in str(caught.value)
    assert "-> check the network of this machine, then try again" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_crate_without_an_end(registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ociwheel.build.fetch_crates._MOST_CRATE", 100)
    registry.answers[CRATE] = b"x" * 1000
    with pytest.raises(FetchError, match=r"has it with more than 100 bytes, locked is "):
        fetch(registry, tmp_path, MEMCHR)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("path", "status", "hint"),
    [
        ("/config.json", 401, "give credentials: a line `machine HOST"),
        (CRATE, 403, "give credentials: a line `machine HOST"),
        ("/config.json", 503, "the registry is in trouble: try again later"),
        (CRATE, 500, "the registry is in trouble: try again later"),
        (CRATE, 404, "use a version that has a wheel for this platform"),
    ],
)
def test_a_registry_that_refuses(
    registry: Registry, tmp_path: Path, path: str, status: int, hint: str
) -> None:
    registry.statuses[path] = status
    with pytest.raises(FetchError) as caught:
        fetch(registry, tmp_path, MEMCHR)
    assert f"{path}: answered {status}" in str(caught.value)
    assert f"\n  -> {hint}" in str(caught.value)


def test_a_machine_that_does_not_answer(registry: Registry, tmp_path: Path) -> None:
    registry.server.shutdown()
    registry.server.server_close()
    with pytest.raises(FetchError) as caught:
        fetch(registry, tmp_path, MEMCHR)
    assert "the crates registry cannot be reached; builds have no network" in str(caught.value)
    assert f"{registry.url}config.json" in str(caught.value)
    assert "(a test)" in str(caught.value)
    assert "-> check the network of this machine, then try again" in str(caught.value)


def test_a_registry_without_a_configuration(registry: Registry, tmp_path: Path) -> None:
    del registry.answers["/config.json"]
    with pytest.raises(FetchError) as caught:
        fetch(registry, tmp_path, MEMCHR)
    assert str(caught.value).startswith(
        "crates: its crates are not in the sdist, and the crates registry cannot be reached; builds have no network\n"
    )
    assert "an sdist made with `cargo vendor`" in str(caught.value)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (b"[]", "expected an object"),
        (b'{"dl": "file:///etc"}', "dl: expected a URL of http or https"),
        (b'{"dl": 7}', "dl: expected a text"),
        (b" " * 70_000, "a configuration of more than 65536 bytes"),
    ],
)
def test_hostile_configurations(registry: Registry, tmp_path: Path, config: bytes, said: str) -> None:
    registry.answers["/config.json"] = config
    with pytest.raises(FetchError) as caught:
        fetch(registry, tmp_path, MEMCHR)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("template", "name", "url"),
    [
        ("https://h/{prefix}/{crate}/{version}", "a", "https://h/1/a/1.0.0%2Bx"),
        ("https://h/{prefix}/{crate}", "abc", "https://h/3/a/abc"),
        ("https://h/{lowerprefix}/{sha256-checksum}", "ABcdef", f"https://h/ab/cd/{'a' * 64}"),
    ],
)
def test_templates(template: str, name: str, url: str) -> None:
    assert crate_url(template, Crate(name, "1.0.0+x", "a" * 64)) == url


def test_crates_are_laid_out_where_cargo_finds_them(tmp_path: Path) -> None:
    crates, folder = tmp_path / "crates", tmp_path / "rust"
    crates.mkdir()
    folder.mkdir()
    (crates / MEMCHR.filename).write_bytes(DATA)
    vendor(crates, folder)
    place = folder / "vendor/memchr-2.7.4"
    assert (place / "Cargo.toml").read_text() == '[package]\nname = "memchr"\n'
    assert json.loads((place / CHECKSUM_FILE).read_text()) == {"files": {}, "package": MEMCHR.sha256}
    config = (folder / "home/config.toml").read_text()
    assert f'directory = "{folder}/vendor"' in config
    assert 'replace-with = "locked"' in config


@pytest.mark.parametrize(
    ("data", "said"),
    [(packed("memchr", "2.7.4", "other"), "the crate holds a folder other"), (b"no archive", "")],
)
def test_a_file_that_is_no_crate(tmp_path: Path, data: bytes, said: str) -> None:
    crates = tmp_path / "crates"
    crates.mkdir()
    (crates / MEMCHR.filename).write_bytes(data)
    with pytest.raises(BuildError) as caught:
        vendor(crates, tmp_path / "rust")
    assert said in str(caught.value)
