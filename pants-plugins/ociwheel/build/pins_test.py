"""Which wheels of locked build requirements a build installs, through the command line's step."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pytest

from ociwheel.build import pins_step
from ociwheel.errors import LockError

SDIST = {"name": "netifaces", "version": "0.11.0", "sha256": "a" * 64}
TARGET = {"schema": "ociwheel.target/1", "python": "3.11.2", "libc": "glibc", "libc_version": "2.36"}


def lock(*files: str) -> dict[str, Any]:
    row = {"sdist": "netifaces==0.11.0", "sha256": "a" * 64, "python": "3.11", "pins": ["cython==3.0"]}
    rows = [{"filename": name, "sha256": f"{number}" * 64} for number, name in enumerate(files)]
    return {"schema": "ociwheel.build-lock/1", "environments": [row], "files": {"cython==3.0": rows}}


class Pins:
    """The step's input files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def choose(
        self,
        *files: str,
        sdists: tuple[dict[str, str], ...] = (SDIST,),
        macos: str = "",
        document: object = None,
        **target: str,
    ) -> Any:
        (self.folder / "x.build.lock").write_text(json.dumps(document or lock(*files)))
        (self.folder / "target.json").write_text(json.dumps({**TARGET, "platform": "linux/amd64", **target}))
        (self.folder / "request.json").write_text(json.dumps({"sdists": sdists}))
        names = {name: self.folder / f"{name}.json" for name in ("target", "request")}
        return pins_step.run(argparse.Namespace(lock=self.folder / "x.build.lock", macos=macos, **names))

    def chosen(self, *files: str, **options: Any) -> str:
        ((row,),) = (one["wheels"] for one in self.choose(*files, **options)["sdists"])
        assert row["name"] == "cython"
        assert row["sha256"] == str(files.index(row["filename"])) * 64
        return str(row["filename"])


@pytest.fixture
def pins(tmp_path: Path) -> Pins:
    return Pins(tmp_path)


PURE = "cython-3.0-py2.py3-none-any.whl"
ABI3 = "cython-3.0-cp39-abi3-manylinux_2_17_x86_64.whl"
EXACT = "cython-3.0-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"
ARM = "cython-3.0-cp311-cp311-linux_armv7l.whl"
MAC = "cython-3.0-cp311-cp311-macosx_11_0_arm64.whl"
OTHERS = (
    "cython-3.0-cp312-cp312-manylinux_2_17_x86_64.whl",
    "cython-3.0-cp311-cp311-manylinux_2_17_aarch64.whl",
    "cython-3.0-cp311-cp311-musllinux_1_1_x86_64.whl",
    "cython-3.0-cp311-cp311-macosx_10_9_x86_64.whl",
    # The interpreter that runs builds has glibc 2.36.
    "cython-3.0-cp311-cp311-manylinux_2_39_x86_64.whl",
)


def test_the_most_specific_wheel_of_the_target(pins: Pins) -> None:
    assert pins.chosen(*OTHERS, PURE, ABI3, EXACT) == EXACT
    assert pins.chosen(*OTHERS, PURE, ABI3) == ABI3
    assert pins.chosen(*OTHERS, PURE) == PURE
    assert pins.chosen(EXACT, ARM, platform="linux/arm/v7") == ARM


def test_a_mac_takes_wheels_for_macs(pins: Pins) -> None:
    universal = "cython-3.0-cp311-cp311-macosx_10_9_universal2.whl"
    assert pins.chosen(EXACT, MAC, universal, PURE, macos="arm64") == MAC
    assert pins.chosen(EXACT, MAC, universal, PURE, macos="x86_64") == universal
    assert pins.chosen(EXACT, MAC, PURE, macos="x86_64") == PURE


def test_no_wheel_for_the_target(pins: Pins, tmp_path: Path) -> None:
    with pytest.raises(LockError) as e:
        pins.choose(MAC)
    assert str(e.value) == (
        f"{tmp_path}/x.build.lock: the build requirement cython==3.0 of netifaces==0.11.0 has no wheel for "
        f"linux/amd64, Python 3.11.2, glibc 2.36\n  locked: {MAC}\n"
        "  -> lock the build requirements of <resolve> anew; where the index has no such wheel, constrain it "
        "to a version that has one: `constraints` of its build settings"
    )


@pytest.mark.parametrize(
    ("sdist", "python"),
    [
        ({**SDIST, "version": "0.11.1"}, "3.11.2"),
        (SDIST, "3.13.0"),
        ({**SDIST, "sha256": "b" * 64}, "3.11.2"),
    ],
)
def test_an_sdist_that_is_not_locked(pins: Pins, sdist: dict[str, str], python: str) -> None:
    with pytest.raises(LockError) as e:
        pins.choose(EXACT, sdists=(sdist,), python=python)
    assert e.value.what == (
        f"the build requirements of netifaces=={sdist['version']} for Python {python.rpartition('.')[0]} "
        "are not locked, and it has to be compiled"
    )
    assert e.value.hint == "lock the build requirements of <resolve> anew"


def test_all_that_is_missing_is_told_at_once(pins: Pins) -> None:
    with pytest.raises(LockError, match="2 problems"):
        pins.choose(MAC, sdists=(SDIST, {**SDIST, "name": "uvloop"}))


def test_a_lock_that_is_not_there_locks_nothing(pins: Pins, tmp_path: Path) -> None:
    pins.choose(EXACT)
    names = {name: tmp_path / f"{name}.json" for name in ("target", "request")}
    with pytest.raises(LockError, match="are not locked"):
        pins_step.run(argparse.Namespace(lock=tmp_path / "none.build.lock", macos="", **names))


def test_a_lock_that_is_none(pins: Pins) -> None:
    with pytest.raises(LockError, match=r"x\.build\.lock: expected a ociwheel\.build-lock/1 document") as e:
        pins.choose(document={"schema": "ociwheel.build-lock/9"})
    assert e.value.hint == "lock the build requirements of <resolve> anew"
