from __future__ import annotations

import contextlib
import tarfile
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ociwheel.debian.deb import Package, check_architecture, read_deb, read_debs
from ociwheel.errors import BaseError
from ociwheel.platforms import platform
from tests.support.debian import Item, ar, deb, folder, hardlink, symlink, tarball, write_debs

SAMPLE = deb(
    "sample",
    [
        folder("./usr/bin/"),
        Item("./usr/bin/tool", b"#!/bin/sh\n", 0o4755),
        hardlink("./usr/bin/other", "./usr/bin/tool"),
        symlink("./usr/bin/link", "/etc/alternatives/tool"),
        Item("./var/mail/x", b"x", 0o640, uid=8, gid=12),
    ],
    compression="",  # so that damage reaches what is behind the compression
)


def read(tmp_path: Path, data: bytes) -> Package:
    path = tmp_path / "sample_1.0-1_amd64.deb"
    path.write_bytes(data)
    return read_deb(path, tmp_path / "contents")


def fault(tmp_path: Path, data: bytes) -> str:
    with pytest.raises(BaseError) as e:
        read(tmp_path, data)
    return str(e.value)


@pytest.mark.parametrize("compression", ["", ".gz", ".xz", ".bz2", ".zst"])
def test_a_package_reads_whatever_its_compression(tmp_path: Path, compression: str) -> None:
    package = read(tmp_path, deb("sample", [Item("./etc/x", b"content")], compression=compression))
    assert (package.name, package.version, package.architecture) == ("sample", "1.0-1", "amd64")
    assert package.control.startswith("Package: sample\n")
    assert package.md5sums == "9a0364b9e99bb480dd25e1f0284c8555  etc/x\n"
    (member,) = package.members
    with member.open() as file:
        assert file.read() == b"content"


def test_modes_owners_and_links_are_kept(tmp_path: Path) -> None:
    members = {m.path: (m.kind, m.mode, m.uid, m.gid, m.target) for m in read(tmp_path, SAMPLE).members}
    assert members == {
        "usr/bin": ("dir", 0o755, 0, 0, ""),
        "usr/bin/tool": ("file", 0o4755, 0, 0, ""),
        "usr/bin/other": ("hardlink", 0o644, 0, 0, "usr/bin/tool"),
        "usr/bin/link": ("symlink", 0o777, 0, 0, "/etc/alternatives/tool"),
        "var/mail/x": ("file", 0o640, 8, 12, ""),
    }


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (Item("./usr/../../etc/passwd"), "the entry './usr/../../etc/passwd' would leave its folder"),
        (Item("/etc/passwd"), "the entry '/etc/passwd' would leave its folder"),
        (hardlink("./x", "../../etc/shadow"), "the entry '../../etc/shadow' would leave its folder"),
        (Item("./dev/sda", type=tarfile.BLKTYPE), "the entry 'dev/sda' is a device or another special file"),
        (
            Item("./dev/null", type=tarfile.CHRTYPE),
            "the entry 'dev/null' is a device or another special file",
        ),
        (
            Item("./run/pipe", type=tarfile.FIFOTYPE),
            "the entry 'run/pipe' is a device or another special file",
        ),
        (symlink("./x", ""), "the entry './x' is a symbolic link without a target"),
    ],
)
def test_hostile_members_are_refused(tmp_path: Path, item: Item, message: str) -> None:
    assert fault(tmp_path, deb("sample", [item])) == f"sample_1.0-1_amd64.deb: {message}"


def test_names_that_are_no_text_are_refused(tmp_path: Path) -> None:
    info = tarfile.TarInfo("./usr/\udcff")
    data = info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape") + b"\0" * 1024
    control = tarball([Item("./control", b"Package: sample\nVersion: 1\nArchitecture: all\n")])
    package = ar([("debian-binary", b"2.0\n"), ("control.tar", control), ("data.tar", data)])
    assert fault(tmp_path, package) == (
        "sample_1.0-1_amd64.deb: the path of the entry 'usr/\\udcff' is no UTF-8 text"
    )


def test_what_is_no_package_is_refused(tmp_path: Path) -> None:
    where = "sample_1.0-1_amd64.deb"
    assert fault(tmp_path, ar([("other", b"2.0\n")])) == f"{where}: is no Debian package of format 2"
    assert fault(tmp_path, ar([("debian-binary", b"3.0\n")])) == f"{where}: is no Debian package of format 2"
    assert (
        fault(tmp_path, ar([("debian-binary", b"2.0\n")])) == f"{where}: has 0 members control.tar*, not one"
    )
    assert fault(tmp_path, b"<html>not found</html>") == f"{where}: it is no ar archive"


def test_a_compression_that_is_not_known_is_named(tmp_path: Path) -> None:
    package = ar([("debian-binary", b"2.0\n"), ("control.tar.lz4", b"")])
    assert fault(tmp_path, package) == (
        "sample_1.0-1_amd64.deb: is compressed in a way that is not known: 'control.tar.lz4'"
    )


def test_a_folder_with_two_versions_of_a_package_is_refused(tmp_path: Path) -> None:
    debs = write_debs(tmp_path / "debs", {"one": []})
    (debs / "one_2.0_amd64.deb").write_bytes(deb("one", version="2.0"))
    with pytest.raises(BaseError) as e:
        read_debs(debs, tmp_path)
    assert str(e.value) == f"{debs}: two versions of one: 1.0-1 and 2.0"


def test_a_folder_without_packages_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BaseError) as e:
        read_debs(tmp_path / "gone", tmp_path)
    assert str(e.value) == f"{tmp_path / 'gone'}: there is no .deb file"


def test_packages_of_another_architecture_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BaseError) as e:
        check_architecture([read(tmp_path, SAMPLE)], platform("linux/arm/v7"))
    assert str(e.value) == ("these packages are not for linux/arm/v7 (armhf):\n  sample 1.0-1: amd64")
    check_architecture([read(tmp_path, SAMPLE)], platform("linux/amd64"))


@settings(deadline=None)
@given(st.integers(min_value=0, max_value=len(SAMPLE) - 1), st.binary(min_size=1, max_size=8))
def test_damage_anywhere_reads_or_is_a_base_error(position: int, noise: bytes) -> None:
    data = SAMPLE[:position] + noise + SAMPLE[position + len(noise) :]
    with tempfile.TemporaryDirectory() as place, contextlib.suppress(BaseError):
        package = read(Path(place), data)
        assert all(not m.path.startswith("/") and ".." not in m.path.split("/") for m in package.members)


@settings(deadline=None)
@given(st.integers(min_value=0, max_value=len(SAMPLE) - 1))
def test_a_package_cut_short_never_crashes(length: int) -> None:
    with tempfile.TemporaryDirectory() as place, contextlib.suppress(BaseError):
        assert read(Path(place), SAMPLE[:length]).name == "sample"


def test_the_files_of_a_package_are_parts_of_one(tmp_path: Path) -> None:
    contents = {"etc/first": b"1", "etc/none": b"", "etc/large": bytes(range(256)) * 4096, "etc/last": b"2"}
    folder = tmp_path / "scratch"
    folder.mkdir()
    debs = write_debs(
        tmp_path / "debs", {"one": [Item(f"./{path}", data) for path, data in contents.items()]}
    )
    (package,) = read_debs(debs, folder)
    assert len(list(folder.iterdir())) == 1
    assert {one.path: one.size() for one in package.members} == {k: len(v) for k, v in contents.items()}
    for member in package.members:
        with member.open() as file:
            assert file.read() == contents[member.path]
            file.seek(0)
            assert file.read(1) == contents[member.path][:1]
