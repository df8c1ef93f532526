"""The toolbox: what is locked, and what is unpacked of a wheel."""

from __future__ import annotations

import io
import json
import os
import stat
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest
import zstandard
from generate_tools_lock import LIBRARIES, MACHINES, NATIVE, PIP, PYTHONS, ZIG, ZSTD
from ociwheel_testing.simple_index import Offered, SimpleIndex, sha256

from ociwheel.errors import FetchError
from ociwheel.fetch.index import IndexClient
from ociwheel.fetch.toolbox import TOOLS_LOCK, make_toolbox, read_tools, unpack_wheel
from ociwheel.transport.network import Network
from ociwheel.transport.settings import NetworkSettings
from ociwheel.zstd.wheels import ZSTD_LOCK


def wheel(members: Mapping[str, bytes], modes: Mapping[str, int] | None = None) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in members.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = (modes or {}).get(name, 0o100664) << 16
            archive.writestr(info, data)
    return buffer.getvalue()


def test_the_lock_has_all_that_its_generator_asks_for() -> None:
    lock = json.loads(TOOLS_LOCK.read_text())
    assert {item["name"]: item["version"] for item in lock["lib"]} == LIBRARIES
    tags = {item["tag"] for item in lock["native"] if item["name"] in NATIVE}
    assert tags == {f"{python}-{machine}" for python in PYTHONS for machine in MACHINES}
    assert {(z["name"], z["version"]) for z in lock["zig"].values()} == {ZIG}
    assert set(lock["zig"]) == set(MACHINES)
    assert (lock["pip"]["name"], lock["pip"]["version"]) == PIP
    zstd = json.loads(ZSTD_LOCK.read_text())["native"]
    assert {item["tag"] for item in zstd} == tags
    assert {item["name"]: item["version"] for item in zstd} == ZSTD == {"zstandard": zstandard.__version__}
    assert "://" not in TOOLS_LOCK.read_text() + ZSTD_LOCK.read_text()


def test_zstandard_is_there_only_where_it_is_asked_for() -> None:
    names = [tool.wanted.name for tool in read_tools()]
    more = [tool.wanted.name for tool in read_tools(with_zstd=True)]
    assert "zstandard" not in names
    assert sorted(more) == sorted([*names, *["zstandard"] * len(PYTHONS) * len(MACHINES)])


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_makes_the_same_toolbox_under_every_umask(tmp_path: Path, umask: int) -> None:
    pure = wheel(
        {
            "demo/__init__.py": b"x = 1",
            "demo-1.0.data/scripts/tool": b"#!",
            "demo-1.0.data/purelib/more.py": b"",
        },
        {"demo/__init__.py": 0o100755},
    )
    native = wheel({"fast.so": b"\x7fELF"})
    names = ("demo-1.0-py3-none-any.whl", "fast-1.0-cp311-cp311-manylinux_2_17_x86_64.whl")
    lock = {
        "lib": [{"name": "demo", "version": "1.0", "filename": names[0], "sha256": sha256(pure)}],
        "native": [
            {
                "name": "fast",
                "version": "1.0",
                "filename": names[1],
                "sha256": sha256(native),
                "tag": "cp311-linux-x86_64",
            }
        ],
    }
    (tmp_path / "tools.lock").write_text(json.dumps(lock))
    before = os.umask(umask)
    try:
        with SimpleIndex({"demo": [Offered(names[0], pure)], "fast": [Offered(names[1], native)]}) as index:
            machine = NetworkSettings(indexes=(index.url,))
            client = IndexClient(machine, Network(machine))
            found = make_toolbox(client, read_tools(tmp_path / "tools.lock"), tmp_path / "out")
    finally:
        os.umask(before)
    assert found == (3, 9)
    listing = {
        str(path.relative_to(tmp_path / "out")): oct(stat.S_IMODE(path.stat().st_mode))
        for path in (tmp_path / "out").rglob("*")
    }
    assert listing == {
        "lib": "0o755",
        "lib/demo": "0o755",
        "lib/demo/__init__.py": "0o755",
        "lib/more.py": "0o644",
        "native": "0o755",
        "native/cp311-linux-x86_64": "0o755",
        "native/cp311-linux-x86_64/fast.so": "0o644",
    }


@pytest.mark.parametrize("name", ["../evil.py", "/evil.py", "a/../../evil.py", "a\\..\\evil.py"])
def test_members_outside_of_the_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "x.whl").write_bytes(wheel({name: b"evil"}))
    with pytest.raises(FetchError) as caught:
        list(unpack_wheel(tmp_path / "x.whl", tmp_path / "out"))
    assert caught.value.render() == f"x.whl: is no readable wheel: the entry {name!r} would leave its folder"


def test_links_and_other_files(tmp_path: Path) -> None:
    (tmp_path / "x.whl").write_bytes(wheel({"link": b"/etc/passwd"}, {"link": 0o120777}))
    with pytest.raises(FetchError, match=r"x\.whl: is no readable wheel: the entry 'link' is a link"):
        list(unpack_wheel(tmp_path / "x.whl", tmp_path / "out"))
    (tmp_path / "x.whl").write_bytes(b"no zip")
    with pytest.raises(FetchError, match=r"x\.whl: is no readable wheel: "):
        list(unpack_wheel(tmp_path / "x.whl", tmp_path / "out"))
