from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from ociwheel.errors import BuildError
from ociwheel.sdist.unpack import unpack


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", mode: int = 0o600) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = kind, link, mode
    return info


def sdist(folder: Path, *members: tarfile.TarInfo) -> Path:
    path = folder / "demo-1.0.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for info in members:
            data = b"content" if info.type == tarfile.REGTYPE else b""
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def test_files_links_and_modes_without_the_filter_of_newer_pythons(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(tarfile, "data_filter")  # as in Debian's Python 3.11.2
    monkeypatch.delattr(tarfile, "fully_trusted_filter")
    path = sdist(
        tmp_path,
        member("demo-1.0", tarfile.DIRTYPE, mode=0o700),
        member("demo-1.0/configure", mode=0o700),
        member("demo-1.0/setup.py"),
        member("demo-1.0/sub/link", tarfile.SYMTYPE, "../setup.py"),
        member("demo-1.0/hard", tarfile.LNKTYPE, "demo-1.0/setup.py"),
    )
    root = unpack(path, tmp_path / "out")
    assert root.name == "demo-1.0"
    assert (root / "configure").stat().st_mode & 0o777 == 0o755
    assert (root / "setup.py").stat().st_mode & 0o777 == 0o644
    assert (root / "sub" / "link").read_bytes() == b"content"
    assert (root / "hard").read_bytes() == b"content"


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (member("../evil"), "the entry '../evil' would leave its folder"),
        (member("/evil"), "the entry '/evil' would leave its folder"),
        (
            member("demo-1.0/evil", tarfile.SYMTYPE, "../../x"),
            "the link 'demo-1.0/evil' would leave its folder",
        ),
        (member("demo-1.0/evil", tarfile.SYMTYPE, "/etc"), "the link 'demo-1.0/evil' would leave its folder"),
        (member("demo-1.0/pipe", tarfile.FIFOTYPE), "the entry 'demo-1.0/pipe' is a device or a pipe"),
    ],
)
def test_what_would_leave_the_folder(tmp_path: Path, bad: tarfile.TarInfo, message: str) -> None:
    with pytest.raises(BuildError) as e:
        unpack(sdist(tmp_path, bad), tmp_path / "out")
    assert str(e.value) == f"demo-1.0.tar.gz: {message}"


def test_a_truncated_sdist(tmp_path: Path) -> None:
    path = sdist(tmp_path, member("demo-1.0/setup.py"))
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(BuildError, match=r"^demo-1\.0\.tar\.gz: is damaged: it ends in the middle"):
        unpack(path, tmp_path / "out")
