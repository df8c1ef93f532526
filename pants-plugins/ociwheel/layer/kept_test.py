"""Installed wheels are kept on the machine, and a layer has the same bytes with and without: ADR 029."""

from __future__ import annotations

import argparse
import errno
import hashlib
import json
import multiprocessing
import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from ociwheel_testing.elf_writer import Elf, elf_bytes
from ociwheel_testing.wheel_writer import write_wheel

from ociwheel.errors import LayerError
from ociwheel.layer import kept, wheel_layer_step, wheels

_MINOR = f"{sys.version_info[0]}.{sys.version_info[1]}"
_NAMES = ("demo-1.0", "lib-2.0", "tool-3.0")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder that keeps wheels."""
    (tmp_path / "kept").mkdir()
    monkeypatch.setenv(kept.VARIABLE, str(tmp_path / "kept/code"))
    target = {"schema": "ociwheel.target/1", "platform": "linux/amd64", "python": f"{_MINOR}.2"}
    (tmp_path / "target.json").write_text(json.dumps({**target, "libc": "glibc", "libc_version": "2.36"}))
    write_wheel(
        tmp_path / "wheels",
        files={
            "demo/__init__.py": b"import ctypes\nctypes.CDLL('libdemo.so.1')\n",
            "demo/old.py": b"print 'two'\n",
            "demo/__pycache__/old.pyc": b"bytecode",
            "demo-1.0.data/scripts/run": b"#!python\nprint()\n",
            "demo-1.0.data/headers/demo.h": b"int x;",
        },
        entry_points="[console_scripts]\ndemo = demo:main\n",
        raw={"demo/extra.txt": b"not in RECORD"},
        requires=("lib>=2",),
    )
    write_wheel(
        tmp_path / "wheels", "lib", "2.0", files={"lib/__init__.py": b"X = {'a', 'b'}\n", "lib/e": b""}
    )
    elf = elf_bytes(Elf(machine=62))
    write_wheel(tmp_path / "wheels", "tool", "3.0", files={"tool/x.so": elf, "tool/ü.py": b"Y = 1\n"})
    return tmp_path / "kept"


def layer(root: Path, *more: str, out: str = "out") -> dict[str, bytes]:
    """Make the layer; return its document and files."""
    shutil.rmtree(root / out, ignore_errors=True)
    parser = argparse.ArgumentParser()
    wheel_layer_step.configure(parser)
    arguments = ["--wheels", str(root / "wheels"), "--target", str(root / "target.json"), "--title", "demo"]
    document = wheel_layer_step.run(parser.parse_args([*arguments, "--output", str(root / out), *more]))
    files = {str(p.relative_to(root / out)): p.read_bytes() for p in (root / out).rglob("*") if p.is_file()}
    return {**files, "document": json.dumps(document, sort_keys=True).encode()}


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the names of wheels that are really installed from now on."""
    names: list[str] = []

    def install(wheel: Path, *rest: Any) -> wheels.InstalledWheel:
        names.append("-".join(wheel.name.split("-")[:2]))
        return wheels.install_wheel(wheel, *rest)

    monkeypatch.setattr(kept, "install_wheel", install)
    return names


def without(root: Path, *more: str) -> dict[str, bytes]:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(kept.VARIABLE)
        return layer(root, *more)


def test_a_layer_is_the_same_with_what_was_kept_and_without(folder: Path, installed: list[str]) -> None:
    root = folder.parent
    plain = without(root)
    assert installed == []
    assert layer(root) == plain
    assert sorted(installed) == list(_NAMES)
    assert layer(root) == plain
    assert len(installed) == len(_NAMES)  # none again
    assert len(list(folder.iterdir())) == len(_NAMES)


def test_of_a_layer_only_what_changed_is_installed(folder: Path, installed: list[str]) -> None:
    root = folder.parent
    layer(root)
    installed.clear()
    (root / "wheels/lib-2.0-py3-none-any.whl").unlink()
    write_wheel(root / "wheels", "lib", "2.1", files={"lib/__init__.py": b"X = 3\n"})
    made = layer(root)
    assert installed == ["lib-2.1"]
    assert made == without(root)


@pytest.mark.parametrize(
    "more",
    [
        ("--bytecode", "none"),
        ("--bytecode", "checked-hash"),
        ("--exclude", "old.py"),
        ("--prefix", "/srv/app"),
        ("--strip", "none"),
    ],
)
def test_what_is_installed_otherwise_is_kept_for_itself(
    folder: Path, installed: list[str], more: Sequence[str]
) -> None:
    root = folder.parent
    layer(root)
    installed.clear()
    plain = without(root, *more)
    assert layer(root, *more) == plain
    assert sorted(installed) == list(_NAMES)
    assert layer(root, *more) == plain


def test_another_python_finds_nothing(
    folder: Path, installed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    layer(folder.parent)
    installed.clear()
    monkeypatch.setattr(sys, "version", "3.11.99 (another)")
    layer(folder.parent)
    assert sorted(installed) == list(_NAMES)


def test_other_limits_find_nothing(
    folder: Path, installed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    layer(folder.parent)
    installed.clear()
    monkeypatch.setenv("OCIWHEEL_LIMITS", "entries=5")
    layer(folder.parent)
    assert sorted(installed) == list(_NAMES)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def _changed(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def _renamed(path: Path) -> None:
    other = next(one for one in path.parent.iterdir() if one != path)
    shutil.copy(other, path)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _more(path: Path) -> None:
    """Add a byte, hash and all: what it says of its files is no longer what is there."""
    data = path.read_bytes()[32:] + b"x"
    path.write_bytes(hashlib.sha256(data).digest() + data)


@pytest.mark.parametrize(
    "damage",
    [
        _cut,
        _changed,
        _renamed,
        _folder,
        _more,
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"{}" * 40),
        Path.unlink,
    ],
)
def test_what_is_damaged_counts_as_not_there(
    folder: Path, installed: list[str], damage: Callable[[Path], object]
) -> None:
    root = folder.parent
    plain = layer(root)
    damage(min(folder.iterdir()))
    installed.clear()
    assert layer(root) == plain
    assert len(installed) == 1
    if damage is not _folder:
        installed.clear()
        assert layer(root) == plain
        assert installed == []  # it was kept anew


def test_a_full_disk_changes_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = without(folder.parent)

    def write(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(kept, "write_whole", write)
    assert layer(folder.parent) == plain
    assert not list(folder.iterdir())


@pytest.mark.parametrize("place", ["", "/nowhere/code"])
def test_a_machine_without_the_folder_installs_each_time(
    folder: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    plain = layer(folder.parent)
    monkeypatch.setenv(kept.VARIABLE, place)
    assert layer(folder.parent) == plain
    assert not Path("/nowhere").exists()


def test_a_wheel_alone_and_a_large_one_are_not_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = folder.parent
    monkeypatch.setattr(kept, "_MOST_WHEEL_BYTES", (root / "wheels/lib-2.0-py3-none-any.whl").stat().st_size)
    layer(root)
    assert len(list(folder.iterdir())) == 1
    shutil.rmtree(folder)
    folder.mkdir()
    for name in _NAMES[1:]:
        (root / f"wheels/{name}-py3-none-any.whl").unlink()
    layer(root)
    assert not list(folder.iterdir())


def test_what_is_large_unpacked_is_not_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = without(folder.parent)
    monkeypatch.setattr(kept, "_MOST_BYTES", 10)
    assert layer(folder.parent) == plain
    assert not list(folder.iterdir())


def test_of_a_wheel_that_is_refused_nothing_is_kept(folder: Path) -> None:
    root = folder.parent
    write_wheel(root / "wheels", "bad", files={"bad.py": b""}, record={"bad.py": "bad.py,sha256=AAAA,0"})
    for _ in range(2):
        with pytest.raises(LayerError, match=r"bad\.py is not what RECORD says"):
            layer(root)
    assert len(list(folder.iterdir())) == len(_NAMES)


def test_a_wheel_for_another_platform_is_refused_though_it_is_kept(folder: Path) -> None:
    root = folder.parent
    write_wheel(root / "wheels", "native", tag="py3-none-manylinux2014_x86_64", files={"native/x": b"x"})
    layer(root)
    target = json.loads((root / "target.json").read_text())
    (root / "target.json").write_text(json.dumps({**target, "platform": "linux/arm64"}))
    with pytest.raises(LayerError, match="does not fit linux/arm64"):
        layer(root)


def _make(root: Path, out: str) -> None:
    layer(root, out=out)


def test_two_at_once_make_the_same(folder: Path) -> None:
    root = folder.parent
    plain = without(root)
    fork = multiprocessing.get_context("fork")
    started = [fork.Process(target=_make, args=(root, f"out{number}")) for number in range(4)]
    for one in started:
        one.start()
    for one in started:
        one.join()
    assert [one.exitcode for one in started] == [0] * len(started)
    (blob,) = (name for name in plain if name.startswith("blobs/"))
    for number in range(len(started)):
        assert (root / f"out{number}" / blob).read_bytes() == plain[blob]
    assert len(list(folder.iterdir())) == len(_NAMES)  # and nothing half written
    assert layer(root) == plain


def test_what_was_not_used_for_long_goes(folder: Path) -> None:
    root = folder.parent
    layer(root)
    old, used, *_ = sorted(folder.iterdir())
    stray = folder / "stray"
    stray.write_bytes(b"half of something")
    long_ago = time.time() - 31 * 86400
    os.utime(stray, (long_ago, long_ago))
    layer(root)
    assert not stray.exists()
    os.utime(used, (long_ago, long_ago))
    layer(root)  # it is used, so it stays
    assert used.exists()
    assert old.exists()


def test_there_is_never_more_than_a_bound(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = folder.parent
    plain = layer(root)
    first, *rest = sorted(folder.iterdir(), key=lambda path: path.stat().st_size)
    for path in rest:
        os.utime(path, (1_000_000, 1_000_000))
    kept_bytes = first.stat().st_size
    monkeypatch.setattr(kept, "_MOST_BYTES_OF_ALL", kept_bytes)
    kept.KeptWheels(folder / "code").tidy()
    assert list(folder.iterdir()) == [first]
    assert layer(root) == plain
    assert sum(path.stat().st_size for path in folder.iterdir()) <= kept_bytes
