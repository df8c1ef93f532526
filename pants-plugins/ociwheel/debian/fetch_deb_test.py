"""Debian packages from mirrors that have them, had them, or have something else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from ociwheel_testing.simple_index import Answer, SimpleIndex, sha256

from ociwheel.debian.fetch_deb import WantedDeb, fetch_deb
from ociwheel.errors import FetchError, UsageError
from ociwheel.transport.network import Network
from ociwheel.transport.settings import NetworkSettings

DATA = b"!<arch>\n" * 50
PATH = "pool/main/libp/libpq5_15.1+b1~x-1_armhf.deb"
WANTED = WantedDeb("debian", PATH, len(DATA), sha256(DATA))


@pytest.fixture
def mirrors() -> Iterator[tuple[SimpleIndex, SimpleIndex]]:
    with SimpleIndex() as one, SimpleIndex() as two:
        yield one, two


def fetch(folder: Path, *urls: str, wanted: WantedDeb = WANTED) -> Path:
    machine = NetworkSettings(debian_mirrors={"debian": urls} if urls else {}, timeout=5)
    network = Network(machine, sleep=lambda _seconds: None)
    return fetch_deb(machine, network, wanted, folder).path


def failure(folder: Path, *urls: str) -> str:
    with pytest.raises(FetchError) as caught:
        fetch(folder, *urls)
    return caught.value.render()


def test_second_mirror_has_it(tmp_path: Path, mirrors: tuple[SimpleIndex, SimpleIndex]) -> None:
    one, two = mirrors
    two.script[f"/debian/{PATH}"] = [Answer(body=DATA)]
    path = fetch(tmp_path, f"{one.root}/debian", f"{two.root}/debian/")
    assert path == tmp_path / "libpq5_15.1+b1~x-1_armhf.deb"
    assert path.read_bytes() == DATA


def test_message_when_it_is_gone(tmp_path: Path, mirrors: tuple[SimpleIndex, SimpleIndex]) -> None:
    one, two = mirrors
    assert failure(tmp_path, one.root, two.root) == (
        "libpq5=15.1+b1~x-1 (armhf): no mirror has this version any more\n"
        f"  {one.root}/{PATH}: answered 404 Not Found\n"
        f"  {two.root}/{PATH}: answered 404 Not Found\n"
        "  -> mirrors drop old versions: lock the base again, or add a mirror that keeps them"
    )


def test_message_of_other_content(tmp_path: Path, mirrors: tuple[SimpleIndex, SimpleIndex]) -> None:
    one, two = mirrors
    one.script[f"/{PATH}"] = [Answer(body=b"<html>please log in</html>")]
    url = one.root.replace("//", "//jo:s3cret@")
    assert failure(tmp_path, url, two.root) == (
        "libpq5=15.1+b1~x-1 (armhf): what the mirror has is not the package that was locked\n"
        f"  expected {len(DATA)} bytes with SHA-256 {sha256(DATA)}\n"
        f"  {one.root}/{PATH}: has 26 bytes with SHA-256 {sha256(b'<html>please log in</html>')}\n"
        f"  {two.root}/{PATH}: answered 404 Not Found\n"
        "  -> a proxy or mirror answers with something else, or the file was tampered with: look at the "
        "URL before anything else"
    )
    assert list(tmp_path.iterdir()) == []


def test_message_of_no_mirror(tmp_path: Path) -> None:
    assert failure(tmp_path) == (
        "libpq5=15.1+b1~x-1 (armhf): no mirror of the archive 'debian' is configured\n"
        "  -> name one: `debian_mirrors` in network.json (on Debian the mirrors of /etc/apt are used)"
    )


@pytest.mark.parametrize("path", ["/pool/x_1_all.deb", "pool/../../x.deb", "pool/x.zip", ""])
def test_paths_that_are_none(path: str) -> None:
    with pytest.raises(UsageError):
        WantedDeb("debian", path, 1, "0" * 64)
