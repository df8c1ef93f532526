"""What the indexes know of a locked version, and what its archives say of themselves."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import pytest
from ociwheel_testing.simple_index import Offered, SimpleIndex, sha256

from ociwheel.errors import FetchError
from ociwheel.fetch.describe import Description, Locked, NobodyHasItError, describe
from ociwheel.fetch.index import IndexClient
from ociwheel.fetch.kept import SMALL, Kept
from ociwheel.fetch.metadata import Metadata, read_metadata
from ociwheel.transport.network import Network
from ociwheel.transport.settings import NetworkSettings

METADATA = (
    b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\nRequires-Python: >=3.8\nRequires-Dist: a>=1\n\nText"
)


def wheel(metadata: bytes = METADATA) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("demo/__init__.py", "")
        archive.writestr("demo-1.0.dist-info/METADATA", metadata)
    return buffer.getvalue()


def sdist(**members: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, text in members.items():
            info = tarfile.TarInfo(f"demo-1.0/{name}")
            info.size = len(text.encode())
            tar.addfile(info, io.BytesIO(text.encode()))
    return buffer.getvalue()


def look_up(index: SimpleIndex, output: Path, *hashes: str, kept: Kept | None = None) -> Description:
    machine = NetworkSettings(indexes=(index.url,), timeout=5)
    output.mkdir(exist_ok=True)
    client = IndexClient(machine, Network(machine, sleep=lambda _seconds: None))
    return describe(client, Locked("demo", "1.0", frozenset(hashes)), output, kept or Kept(None))


def noise(size: int) -> str:
    """Return text that takes ``size`` bytes when it is compressed."""
    return "".join(sha256(str(number).encode()) for number in range(size // 32 + 1))


def names(found: Description) -> list[str]:
    return [file.filename for file in found.files]


LINUX = "demo-1.0-cp311-cp311-manylinux_2_17_x86_64.whl"
MAC = "demo-1.0-cp311-cp311-macosx_11_0_arm64.whl"
ANY = "demo-1.0-py3-none-any.whl"


@pytest.mark.parametrize("as_json", [True, False])
def test_a_wheel_for_every_platform_is_kept(tmp_path: Path, as_json: bool) -> None:
    data, source = wheel(), sdist(**{"PKG-INFO": "Metadata-Version: 2.1\n"})
    files = [
        Offered(ANY, data, metadata=b"not asked for"),
        Offered("demo-1.0.tar.gz", source),
        Offered("demo-2.0-py3-none-any.whl", b"newer"),
    ]
    with SimpleIndex({"demo": files}, as_json=as_json) as index:
        found = look_up(index, tmp_path / "out", sha256(data), sha256(source))
    assert names(found) == [ANY, "demo-1.0.tar.gz"]
    assert found.metadata == Metadata(">=3.8", ("a>=1",))
    assert found.artifact == ANY
    assert (tmp_path / "out" / ANY).read_bytes() == data
    assert index.paths() == ["/simple/demo/", f"/files/{ANY}"]


def test_metadata_of_the_index_spares_a_download(tmp_path: Path) -> None:
    files = [Offered(LINUX, b"big", metadata=METADATA), Offered(MAC, b"bigger", metadata=METADATA)]
    with SimpleIndex({"demo": files}) as index:
        found = look_up(index, tmp_path / "out", sha256(b"big"), sha256(b"bigger"))
    assert found.metadata == Metadata(">=3.8", ("a>=1",))
    assert found.artifact is None
    assert index.paths() == ["/simple/demo/", f"/files/{MAC}.metadata"]


def test_without_it_the_smallest_wheel_is_read(tmp_path: Path) -> None:
    small, large = wheel(), wheel(METADATA + b"x" * 5000)
    with SimpleIndex({"demo": [Offered(LINUX, large), Offered(MAC, small)]}) as index:
        found = look_up(index, tmp_path / "out", sha256(small), sha256(large))
    assert found.metadata.requires_dist == ("a>=1",)
    assert index.paths() == ["/simple/demo/", f"/files/{MAC}"]
    assert list((tmp_path / "out").iterdir()) == []


def test_an_index_without_hashes(tmp_path: Path) -> None:
    data = wheel()
    with SimpleIndex({"demo": [Offered(ANY, data, with_hash=False)]}, as_json=False) as index:
        found = look_up(index, tmp_path / "out", sha256(data))
    assert [(file.sha256, file.size) for file in found.files] == [(sha256(data), len(data))]


def test_files_that_are_gone_are_noted(tmp_path: Path) -> None:
    data = wheel()
    with SimpleIndex({"demo": [Offered(ANY, data)]}) as index:
        found = look_up(index, tmp_path / "out", sha256(data), "0" * 64)
    assert names(found) == [ANY]
    assert found.notes == ("demo 1.0: 1 of 2 locked files are on no index",)
    assert not found.whole


def test_a_large_wheel_is_left_to_its_own_step_and_not_downloaded(tmp_path: Path) -> None:
    data = bytes(SMALL + 1)
    with SimpleIndex({"demo": [Offered(ANY, data, metadata=METADATA)]}) as index:
        found = look_up(index, tmp_path / "out", sha256(data))
    assert (found.artifact, found.metadata) == (None, Metadata(">=3.8", ("a>=1",)))
    assert index.paths() == ["/simple/demo/", f"/files/{ANY}.metadata"]


@pytest.mark.parametrize("as_json", [True, False])
def test_one_that_had_to_be_read_is_kept_for_the_step_that_wants_it(tmp_path: Path, as_json: bool) -> None:
    data = sdist(**{"PKG-INFO": METADATA.decode(), "data": noise(SMALL)})
    kept = Kept(tmp_path / "kept")
    with SimpleIndex({"demo": [Offered("demo-1.0.tar.gz", data)]}, as_json=as_json) as index:
        found = look_up(index, tmp_path / "out", sha256(data), kept=kept)
    assert [file.size for file in found.files] == [len(data)], "a page of HTML has no sizes"
    assert (found.artifact, found.metadata.requires_dist) == (None, ("a>=1",))
    assert list((tmp_path / "out").iterdir()) == []
    assert kept.take_file(sha256(data), tmp_path / "taken") == len(data)


def test_message_when_all_are_gone(tmp_path: Path) -> None:
    with SimpleIndex({"demo": [Offered(ANY, wheel())]}) as index:
        with pytest.raises(NobodyHasItError) as caught:
            look_up(index, tmp_path / "out", "0" * 64)
        assert caught.value.render() == (
            "demo 1.0: no index has a file with any of the 1 locked hashes\n"
            f"  {index.root}/simple/demo/: lists 1 files, none with a locked hash\n"
            "  -> this version was deleted, or is on an index that is not configured: add that index, or "
            "lock again"
        )


def of_sdist(folder: Path, **members: str) -> Metadata:
    path = folder / "demo-1.0.tar.gz"
    path.write_bytes(sdist(**members))
    return read_metadata(path)


OLD = "Metadata-Version: 1.1\nName: demo\n"


def test_an_sdist_with_full_metadata(tmp_path: Path) -> None:
    assert of_sdist(tmp_path, **{"PKG-INFO": METADATA.decode()}) == Metadata(">=3.8", ("a>=1",))


def test_an_sdist_of_setuptools(tmp_path: Path) -> None:
    requires = (
        'a>=1\n\n[:sys_platform == "linux"]\nb\n\n[x]\nc; os_name == "nt" or d\n\n[y:python_version<"3"]\ne\n'
    )
    found = of_sdist(tmp_path, **{"PKG-INFO": OLD, "src/demo.egg-info/requires.txt": requires})
    assert found.requires_dist == (
        "a>=1",
        'b ; sys_platform == "linux"',
        'c ; (os_name == "nt" or d) and extra == "x"',
        'e ; python_version<"3" and extra == "y"',
    )
    assert of_sdist(tmp_path, **{"PKG-INFO": OLD, "demo.egg-info/PKG-INFO": OLD}) == Metadata(None, ())


def test_an_sdist_that_says_it_needs_nothing(tmp_path: Path) -> None:
    assert of_sdist(tmp_path, **{"PKG-INFO": "Metadata-Version: 2.2\n"}).reliable
    dynamic = "Metadata-Version: 2.2\nDynamic: Requires-Dist\n"
    assert not of_sdist(tmp_path, **{"PKG-INFO": dynamic}).reliable
    assert not of_sdist(tmp_path, README="x").reliable


def test_sources_tell_when_metadata_does_not(tmp_path: Path) -> None:
    script = "from distutils.core import setup\nsetup(name='demo', install_requires=['netifaces'])\n"
    found = of_sdist(tmp_path, **{"PKG-INFO": OLD, "setup.py": script})
    assert found == Metadata(None, ("netifaces",))


def test_a_broken_archive(tmp_path: Path) -> None:
    path = tmp_path / "demo-1.0-py3-none-any.whl"
    path.write_bytes(b"no zip")
    with pytest.raises(FetchError, match=r"^demo-1.0-py3-none-any.whl: cannot read its metadata: "):
        read_metadata(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x", "")
    with pytest.raises(FetchError, match=r"has no METADATA, so it is no wheel"):
        read_metadata(path)
