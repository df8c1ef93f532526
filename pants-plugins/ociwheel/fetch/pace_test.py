"""Answers that never end, end too late, or are more than was asked for."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ociwheel_testing.simple_index import Answer, Offered, SimpleIndex, sha256

from ociwheel.debian.fetch_deb import WantedDeb, fetch_deb
from ociwheel.errors import FetchError
from ociwheel.fetch.artifacts import Wanted, fetch_artifact
from ociwheel.fetch.index import IndexClient
from ociwheel.transport.network import Network
from ociwheel.transport.pace import Pace
from ociwheel.transport.settings import NetworkSettings

DATA = b"!<arch>\n" * 50
WHEEL = "demo-1.0-py3-none-any.whl"
WANTED = Wanted("demo", "1.0", WHEEL, sha256(DATA))
DEB = WantedDeb("debian", "pool/x_1_all.deb", len(DATA), sha256(DATA))
PAGE, FILE = "/simple/demo/", f"/files/{WHEEL}"
QUICK = Pace(floor=1000, window=0.3, longest=1.5)


@pytest.fixture
def index() -> Iterator[SimpleIndex]:
    with SimpleIndex({"demo": [Offered(WHEEL, DATA)]}) as server:
        yield server


def endless() -> Iterator[bytes]:
    return itertools.repeat(b"x" * 65536)


def creeping() -> Iterator[bytes]:
    while True:
        yield b"x"
        time.sleep(0.02)


def creeping_head() -> Iterator[bytes]:
    yield b"HTTP/1.0 200 OK\r\nX-Long: "
    yield from creeping()


def many_headers() -> Iterator[bytes]:
    yield b"HTTP/1.0 200 OK\r\n"
    yield from itertools.repeat(b"X: y\r\n" * 1000)


def fault(call: Callable[[], object]) -> str:
    start = time.monotonic()
    with pytest.raises(FetchError) as caught:
        call()
    assert time.monotonic() - start < 20
    text = caught.value.render()
    assert len(text) < 2000
    return text


def fetch(index: SimpleIndex, folder: Path, pace: Pace = QUICK) -> object:
    settings = NetworkSettings(indexes=(index.url,), timeout=5, pace=pace)
    return fetch_artifact(IndexClient(settings, Network(settings, sleep=lambda _: None)), WANTED, folder)


def deb(index: SimpleIndex, folder: Path) -> object:
    settings = NetworkSettings(debian_mirrors={"debian": (index.root,)}, timeout=5, pace=QUICK)
    return fetch_deb(settings, Network(settings, sleep=lambda _: None), DEB, folder)


def test_a_download_stops_at_the_locked_size(tmp_path: Path, index: SimpleIndex) -> None:
    index.script[f"/{DEB.path}"] = [Answer(stream=endless)]
    text = fault(lambda: deb(index, tmp_path))
    assert f"/{DEB.path}: has more than {len(DATA)} bytes" in text
    assert text.startswith("x=1 (all): what the mirror has is not the package that was locked\n")
    # What the socket's buffers took is all that was sent.
    assert index.sent < 16 << 20
    assert list(tmp_path.iterdir()) == []


def test_a_download_stops_at_the_size_that_the_index_gives(tmp_path: Path, index: SimpleIndex) -> None:
    index.script[FILE] = [Answer(stream=endless)]
    text = fault(lambda: fetch(index, tmp_path))
    assert f"{FILE}: has it with more than {len(DATA)} bytes" in text
    assert index.sent < 16 << 20
    assert list(tmp_path.iterdir()) == []


def test_an_index_page_without_end(
    tmp_path: Path, index: SimpleIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.script[PAGE] = [Answer(stream=endless, headers={"Content-Type": "text/html"})]
    text = fault(lambda: fetch(index, tmp_path, Pace()))
    assert f"{PAGE}: a page of more than {64 << 20} bytes" in text


@pytest.mark.parametrize(
    ("path", "stream", "raw"),
    [
        (FILE, creeping, False),
        (PAGE, creeping, False),
        (FILE, creeping_head, True),
        (PAGE, creeping_head, True),
    ],
)
def test_an_answer_that_creeps(
    tmp_path: Path, index: SimpleIndex, path: str, stream: Callable[[], Iterator[bytes]], raw: bool
) -> None:
    index.script[path] = [Answer(stream=stream, raw=raw)] * 5
    text = fault(lambda: fetch(index, tmp_path))
    assert f"{path}: too slow: it gave " in text
    assert "less than 1000 a second" in text
    assert list(tmp_path.iterdir()) == []


def test_an_answer_that_takes_too_long_in_all_is_not_asked_for_again(
    tmp_path: Path, index: SimpleIndex
) -> None:
    index.projects["demo"] = [Offered(WHEEL, DATA * 10_000, listed_sha256=WANTED.sha256)]

    def steady() -> Iterator[bytes]:
        while True:
            yield b"x" * 1000
            time.sleep(0.05)

    index.script[FILE] = [Answer(stream=steady)] * 5
    text = fault(lambda: fetch(index, tmp_path, Pace(floor=1, window=0.3, longest=1.0)))
    assert f"{FILE}: too slow: it took more than 1 s in all" in text
    assert index.paths().count(FILE) == 1


def test_headers_without_end(tmp_path: Path, index: SimpleIndex) -> None:
    index.script[PAGE] = [Answer(stream=many_headers, raw=True)] * 5
    assert f"{PAGE}: the connection failed: got more than 100 headers" in fault(
        lambda: fetch(index, tmp_path)
    )


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("http://[::1", "redirects to 'http://[::1', which is no URL"),
        ("file:///etc/passwd", "redirects to a URL of scheme 'file'"),
        ("//host:99999999/x", "redirects to '//host:99999999/x', which is no URL"),
        ("http://a\x1b]0;.invalid/\u202e", "which is no URL"),
    ],
)
def test_redirects_to_nowhere(tmp_path: Path, index: SimpleIndex, location: str, expected: str) -> None:
    head = f"HTTP/1.0 302 Found\r\nLocation: {location}\r\n\r\n".encode()
    index.script[PAGE] = [Answer(stream=lambda: iter([head]), raw=True)] * 5
    text = fault(lambda: fetch(index, tmp_path))
    assert expected in text
    assert all(line.isprintable() for line in text.splitlines())


def test_redirects_in_a_circle(tmp_path: Path, index: SimpleIndex) -> None:
    index.script[PAGE] = [Answer(302, headers={"Location": PAGE})] * 50
    assert "redirects more than 10 times" in fault(lambda: fetch(index, tmp_path))
    assert len(index.paths()) == 11


@pytest.mark.parametrize("length", ["9" * 5000, "-1", "x", "²"])
def test_lengths_that_are_none(tmp_path: Path, index: SimpleIndex, length: str) -> None:
    head = f"HTTP/1.0 200 OK\r\nContent-Length: {length}\r\nRetry-After: {length}\r\n\r\n".encode()
    index.script[FILE] = [Answer(stream=lambda: iter([head, DATA]), raw=True)] * 5
    fetch(index, tmp_path)
    assert (tmp_path / WHEEL).read_bytes() == DATA


@pytest.mark.parametrize("asked", ["9" * 5000, "-1", "²", "Sat, 01 Jan 99999 00:00:00 GMT", "1e9"])
def test_pauses_that_a_server_asks_for(tmp_path: Path, index: SimpleIndex, asked: str) -> None:
    head = f"HTTP/1.0 503 Busy\r\nRetry-After: {asked}\r\n\r\n".encode()
    index.script[PAGE] = [Answer(stream=lambda: iter([head]), raw=True)]
    pauses: list[float] = []
    settings = NetworkSettings(indexes=(index.url,), timeout=5)
    fetch_artifact(IndexClient(settings, Network(settings, sleep=pauses.append)), WANTED, tmp_path)
    assert len(pauses) == 1
    assert pauses[0] <= 30
