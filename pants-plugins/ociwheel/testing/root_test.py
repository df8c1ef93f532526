"""An image as a root: its files, their rights for its user, and the words that enter it."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import stat
import tarfile
from pathlib import Path

import pytest

from ociwheel.base.image_files import ImageFiles, LockedLayer, open_image
from ociwheel.digest import Digest
from ociwheel.errors import BaseError
from ociwheel.image.users import Owner
from ociwheel.testing.root import Root, command, unpack

USER = Owner(65532, 65532)
Row = tuple[str, str, int, int, str]
"""Path, kind (``f``, ``d``, ``l``, ``h``), mode, owner and group, content or target."""
_KINDS = {"f": tarfile.REGTYPE, "d": tarfile.DIRTYPE, "l": tarfile.SYMTYPE, "h": tarfile.LNKTYPE}


def write(folder: Path, rows: list[Row]) -> LockedLayer:
    """Write a layer to a layout."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for path, kind, mode, owner, text in rows:
            info = tarfile.TarInfo(path)
            info.type, info.mode, info.uid, info.gid = _KINDS[kind], mode, owner, owner
            info.linkname = text if kind in "lh" else ""
            info.size = len(text) if kind == "f" else 0
            tar.addfile(info, io.BytesIO(text.encode()))
    data = file.getvalue()
    blob = gzip.compress(data, mtime=0)
    digest = hashlib.sha256(blob).hexdigest()
    file_of_blob = folder / "blobs/sha256" / digest
    file_of_blob.parent.mkdir(parents=True, exist_ok=True)
    file_of_blob.write_bytes(blob)
    return LockedLayer(Digest.of_hex(digest), Digest.of_hex(hashlib.sha256(data).hexdigest()))


def image(folder: Path, *layers: list[Row]) -> ImageFiles:
    return open_image([write(folder, rows) for rows in layers], folder)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_files_links_and_what_upper_layers_take_away(tmp_path: Path) -> None:
    below: list[Row] = [
        ("usr/bin/tool", "f", 0o755, 0, "old"),
        ("usr/bin/tool2", "h", 0o755, 0, "usr/bin/tool"),
        ("usr/share/gone", "f", 0o644, 0, "x"),
        ("bin", "l", 0o777, 0, "usr/bin"),
        ("app/python", "l", 0o777, 0, "/usr/bin/tool"),
    ]
    above: list[Row] = [
        ("usr/share/.wh.gone", "f", 0o644, 0, ""),
        ("bin/tool", "f", 0o755, 0, "new"),
        ("etc/hosts", "l", 0o777, 0, "/proc/mounts"),
    ]
    root = unpack(image(tmp_path, below, above), USER, tmp_path / "root").folder
    assert (root / "usr/bin/tool").read_text() == "new"
    assert (root / "usr/bin/tool2").read_text() == "old"
    assert not (root / "usr/share/gone").exists()
    assert os.readlink(root / "bin") == "usr/bin"
    assert os.readlink(root / "app/python") == "/usr/bin/tool"
    assert (root / "proc").is_dir()
    assert (root / "ociwheel-test/out").is_dir()
    # As in every container, it is this machine's.
    assert (root / "etc/hosts").read_text() == Path("/etc/hosts").read_text()


def test_two_names_of_a_file_are_one(tmp_path: Path) -> None:
    rows: list[Row] = [("a", "f", 0o755, 0, "text"), ("b/c", "h", 0o755, 0, "a")]
    root = unpack(image(tmp_path, rows), USER, tmp_path / "root").folder
    assert (root / "a").samefile(root / "b/c")


def test_rights_are_those_of_the_images_user(tmp_path: Path) -> None:
    rows: list[Row] = [
        ("own", "f", 0o640, 65532, ""),
        ("secret", "f", 0o600, 0, ""),
        ("program", "f", 0o4711, 0, ""),
    ]
    root = unpack(image(tmp_path, rows), USER, tmp_path / "root").folder
    assert [mode(root / name) for name in ("own", "secret", "program")] == [0o666, 0, 0o111]
    as_root = unpack(image(tmp_path, rows), Owner(0, 0), tmp_path / "other").folder
    assert [mode(as_root / name) for name in ("own", "secret", "program")] == [0o666, 0o666, 0o777]


def test_folders_that_can_be_written_to(tmp_path: Path) -> None:
    rows: list[Row] = [
        ("app", "d", 0o755, 0, ""),
        ("app/data", "d", 0o755, 65532, ""),
        ("app/data/more", "d", 0o755, 65532, ""),
        ("app/database", "d", 0o700, 65532, ""),
        ("var/cache", "d", 0o1777, 0, ""),
        ("var/shared", "d", 0o770, 0, ""),
    ]
    root = unpack(image(tmp_path, rows), USER, tmp_path / "root")
    assert root.writable == ("/app/data", "/app/database", "/var/cache")


def test_a_layer_that_leads_out_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BaseError, match="leaves the image"):
        image(tmp_path, [("../outside", "f", 0o644, 0, "x")])
    rows: list[Row] = [("away", "l", 0o777, 0, str(tmp_path)), ("away/file", "f", 0o644, 0, "x")]
    unpack(image(tmp_path, rows), USER, tmp_path / "root")
    assert not (tmp_path / "file").exists(), "a link leads to a place in the root"


def words(folder: Path, user: Owner, passwd: str, **env: str) -> list[str]:
    (folder / "root/etc").mkdir(parents=True)
    (folder / "root/etc/passwd").write_text(passwd)
    root = Root(folder / "root", user, ("/srv",))
    return command(root, Path("/tools"), Path("/out"), env, "/app")


def test_words_for_a_user_that_owns_little(tmp_path: Path) -> None:
    found = " ".join(words(tmp_path, USER, "app:x:65532:65532::/home/app:/bin/false\n", LANG="C"))
    root = tmp_path / "root"
    assert f"--ro-bind {root} / --bind {root}/srv /srv --bind /out /ociwheel-test/out" in found
    assert "--uid 65532 --gid 65532 --cap-drop ALL --clearenv" in found
    assert "--setenv HOME /home/app --setenv LANG C" in found
    assert found.endswith("--chdir /app")
    assert "--unshare-net" not in found


def test_words_for_root_and_for_a_home_that_is_given(tmp_path: Path) -> None:
    found = " ".join(words(tmp_path, Owner(0, 0), "", HOME="/data"))
    assert f"--bind {tmp_path}/root / --bind /out" in found
    assert "--setenv HOME /data" in found
    assert " ".join(words(tmp_path / "other", USER, "")).count("--setenv HOME /") == 1
