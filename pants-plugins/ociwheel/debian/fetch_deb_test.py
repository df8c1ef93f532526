"""Debian packages from mirrors that have them, had them, or have something else."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from ociwheel_testing.simple_index import Answer, SimpleIndex, sha256

from ociwheel.debian.fetch_deb import WantedDeb, fetch_deb, fetch_debs
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


def several(*names: str) -> list[WantedDeb]:
    return [WantedDeb("debian", f"pool/{name}_1_all.deb", len(DATA), sha256(DATA)) for name in names]


def fetch_all(folder: Path, wanted: list[WantedDeb], *urls: str) -> list[str]:
    machine = NetworkSettings(debian_mirrors={"debian": urls}, timeout=5)
    network = Network(machine, sleep=lambda _seconds: None)
    return [one.path.name for one in fetch_debs(machine, network, wanted, folder)]


def test_several_come_in_the_order_in_which_they_were_asked_for(
    tmp_path: Path, mirrors: tuple[SimpleIndex, SimpleIndex]
) -> None:
    one, two = mirrors
    names = [f"p{number}" for number in range(9, 0, -1)]
    for wanted in several(*names):
        mirror = one if wanted.path < "pool/p5" else two
        mirror.script[f"/{wanted.path}"] = [Answer(body=DATA)]
    assert fetch_all(tmp_path, several(*names), one.root, two.root) == [f"{name}_1_all.deb" for name in names]
    assert {path.read_bytes() for path in tmp_path.iterdir()} == {DATA}
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o644}
    # The first mirror is asked first, for each of them.
    assert sorted(one.paths()) == sorted(f"/pool/{name}_1_all.deb" for name in names)
    assert len(two.paths()) == 5


def test_all_that_are_not_given_are_told_and_the_others_are_there(
    tmp_path: Path, mirrors: tuple[SimpleIndex, SimpleIndex]
) -> None:
    one, _ = mirrors
    wanted = several("gone", "there", "other")
    one.script["/pool/there_1_all.deb"] = [Answer(body=DATA)]
    one.script["/pool/other_1_all.deb"] = [Answer(body=DATA + b"!")]
    with pytest.raises(FetchError) as caught:
        fetch_all(tmp_path, wanted, one.root)
    gone, other = (
        "gone=1 (all): no mirror has this version any more",
        "other=1 (all): what the mirror has is not the package that was locked",
    )
    assert [f"{error.where}: {error.what}" for error in caught.value.errors] == [gone, other]
    lines = caught.value.render().splitlines()
    assert lines[:2] == ["2 problems:", f"  {gone}"]
    assert lines[3] == (
        "    -> mirrors drop old versions: lock the base again, or add a mirror that keeps them"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["there_1_all.deb"]


def test_the_only_one_that_is_not_given_is_told_as_it_always_was(
    tmp_path: Path, mirrors: tuple[SimpleIndex, SimpleIndex]
) -> None:
    one, _ = mirrors
    one.script["/pool/a_1_all.deb"] = [Answer(body=DATA)]
    with pytest.raises(FetchError) as caught:
        fetch_all(tmp_path, several("a", "b"), one.root)
    assert caught.value.render().startswith("b=1 (all): no mirror has this version any more\n")


def test_a_mirror_that_is_down_is_passed_by(tmp_path: Path, mirrors: tuple[SimpleIndex, SimpleIndex]) -> None:
    one, two = mirrors
    wanted = several("a", "b", "c", "d", "e")
    for deb in wanted:
        one.script[f"/{deb.path}"] = [Answer(503)] * 5
        two.script[f"/{deb.path}"] = [Answer(body=DATA)]
    assert len(fetch_all(tmp_path, wanted, one.root, two.root)) == 5


def test_two_that_would_be_one_file_are_refused(tmp_path: Path) -> None:
    (deb,) = several("a")
    other = WantedDeb("debian-security", "pool/updates/a_1_all.deb", 1, "0" * 64)
    for wanted in ([deb, deb], [deb, other]):
        with pytest.raises(UsageError, match=r"two of the packages have the file name 'a_1_all\.deb'"):
            fetch_all(tmp_path, wanted)


def test_a_full_disk_is_told_once(
    tmp_path: Path, mirrors: tuple[SimpleIndex, SimpleIndex], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("ociwheel.transport.download.copy_chunks", full)
    one, _ = mirrors
    wanted = several("a", "b", "c")
    for deb in wanted:
        one.script[f"/{deb.path}"] = [Answer(body=DATA)]
    with pytest.raises(FetchError) as caught:
        fetch_all(tmp_path, wanted, one.root)
    assert caught.value.render() == (
        f"{tmp_path}: no space left on the disk\n  -> free some space, then try again"
    )
    assert list(tmp_path.iterdir()) == []


def test_what_nobody_foresaw_ends_the_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("no network")

    monkeypatch.setattr("ociwheel.debian.fetch_deb.download", broken)
    with pytest.raises(RuntimeError, match="no network"):
        fetch_all(tmp_path, several("a", "b"), "http://mirror.invalid")
