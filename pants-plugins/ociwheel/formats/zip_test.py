from __future__ import annotations

import stat
import zipfile
from pathlib import Path

import pytest

from ociwheel.build.repack import repack
from ociwheel.errors import BuildError
from ociwheel.formats.guard import Guard
from ociwheel.formats.limits import Limits
from ociwheel.formats.zip import open_zip
from tests.fuzz.hostile import overlapping_zip


def write(path: Path, *names: str, mode: int = 0o644, method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            info.compress_type = method
            archive.writestr(info, b"content")
    return path


def read(path: Path, limits: Limits | None = None) -> dict[str, bytes]:
    with open_zip(path, Guard(path.name, BuildError, limits or Limits())) as archive:
        return {e.path: b"".join(archive.chunks(e)) for e in archive.entries if not e.is_folder}


def fault(path: Path, limits: Limits | None = None) -> str:
    with pytest.raises(BuildError) as e:
        read(path, limits)
    return e.value.what


def test_files_and_folders(tmp_path: Path) -> None:
    path = write(tmp_path / "x.zip", "./a//b", "c/", "c/d")
    assert read(path) == {"a/b": b"content", "c/d": b"content"}
    with open_zip(write(path, "run", mode=0o755), Guard("x", BuildError)) as archive:
        assert [entry.executable for entry in archive.entries] == [True]


@pytest.mark.parametrize("name", ["../a", "/a", "a/../../b", "a\\b"])
def test_names_outside_of_the_folder(tmp_path: Path, name: str) -> None:
    assert fault(write(tmp_path / "x.zip", name)) == f"the entry {name!r} would leave its folder"


def test_what_wheels_and_sdists_have_not(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    assert fault(write(path, "a", mode=stat.S_IFLNK | 0o777)) == "the entry 'a' is a link or a special file"
    assert fault(write(path, "a", mode=stat.S_IFIFO)) == "the entry 'a' is a link or a special file"
    with pytest.warns(UserWarning, match="Duplicate name"):
        write(path, "a", "a")
    assert fault(path) == "the entry 'a' comes twice"
    for method in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        assert fault(write(path, "a", method=method)).endswith(f"wheels and sdists are not: method {method}")
    data = bytearray(write(path, "a").read_bytes())
    data[data.find(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    assert fault(path) == "the entry 'a' is encrypted"


def test_damage(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    path.write_bytes(b"no zip")
    assert fault(path) == "is no zip archive, or a damaged one: File is not a zip file"
    whole = write(path, "a").read_bytes()
    path.write_bytes(whole.replace(b"a", b"", 1))
    assert "damaged" in fault(path)
    data = bytearray(whole)
    data[33] ^= 0xFF
    path.write_bytes(data)
    assert fault(path).startswith("the entry 'a' is damaged: ")


def test_a_member_without_a_name(tmp_path: Path) -> None:
    data = bytearray(write(tmp_path / "x.zip", "").read_bytes())
    assert b"PK\x01\x02" in data
    assert read(tmp_path / "x.zip") == {}


def test_bombs(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    path.write_bytes(overlapping_zip(1000, 1 << 20))
    assert fault(path) == "the entry 'a' comes twice"
    path.write_bytes(overlapping_zip(1, 60 << 20))
    assert fault(path) == f"it has more than {48 << 20} bytes unpacked"
    assert len(read(path, Limits(ratio=2000))["a"]) == 60 << 20


def test_what_a_backend_leaves_may_be_no_zip(tmp_path: Path) -> None:
    (tmp_path / "demo-1.0-py3-none-any.whl").write_bytes(b"no zip")
    with pytest.raises(BuildError) as e:
        repack(tmp_path / "demo-1.0-py3-none-any.whl", tmp_path / "out.whl")
    assert str(e.value) == (
        "demo-1.0-py3-none-any.whl: the backend made a wheel that cannot be read: is no zip archive, or a "
        "damaged one: File is not a zip file"
    )
