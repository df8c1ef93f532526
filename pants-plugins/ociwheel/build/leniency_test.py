from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from ociwheel.build.compiler import rewrite
from ociwheel.build.compiler_test import ARM
from ociwheel.build.leniency import gcc_version, lenient_flags
from ociwheel.platforms import platform
from ociwheel.target import Target


def target(version: tuple[int, int], libc: str = "glibc") -> Target:
    return Target(platform("linux/arm/v7"), "3.11.2", libc, version)


@pytest.mark.parametrize(
    ("libc", "version", "strict"),
    [("glibc", (2, 36), False), ("glibc", (2, 39), False), ("glibc", (2, 41), True), ("musl", (1, 2), False)],
)
def test_the_libc_tells_the_gcc(tmp_path: Path, libc: str, version: tuple[int, int], strict: bool) -> None:
    assert (gcc_version(tmp_path, target(version, libc)) >= 14) == strict


def test_a_gcc_in_the_sysroot_counts_more(tmp_path: Path) -> None:
    for name in ("9", "14", "libnothing"):
        (tmp_path / "usr/lib/gcc/arm-linux-gnueabihf" / name).mkdir(parents=True)
    assert gcc_version(tmp_path, target((2, 36))) == 14


def test_what_each_gcc_warns_of() -> None:
    assert "-Wno-error=implicit-function-declaration" in lenient_flags(12)
    assert "-Wno-error=implicit-function-declaration" not in lenient_flags(14)
    assert "-Wno-error=register" in lenient_flags(14)


@pytest.mark.parametrize(
    ("arguments", "lenient"),
    [
        (["-c", "a.c"], True),
        (["-Werror", "-c", "a.c"], False),
        (["-Werror=int-conversion", "-c", "a.c"], True),
    ],
)
def test_who_asks_for_errors_gets_them(arguments: list[str], lenient: bool) -> None:
    config = dataclasses.replace(ARM, lenient=lenient_flags(12))
    words = rewrite(arguments, cxx=False, config=config)
    assert ("-Wno-error=int-conversion" in words) == lenient
    if lenient and len(arguments) > 2:  # the last counts
        assert words.index("-Wno-error=int-conversion") < words.index("-Werror=int-conversion")
