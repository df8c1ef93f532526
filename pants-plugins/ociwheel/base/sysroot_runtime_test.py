from __future__ import annotations

from pathlib import Path

import pytest

from ociwheel.base.sysroot_runtime import SysrootRuntime, find_runtime

ARM = "arm-linux-gnueabihf"


def sysroot(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


def gcc(version: str, triplet: str = ARM) -> tuple[str, str]:
    folder = f"usr/lib/gcc/{triplet}/{version}"
    return f"{folder}/crtbeginS.o", f"{folder}/libstdc++.so"


def test_the_newest_gcc_counts_by_number(tmp_path: Path) -> None:
    root = sysroot(tmp_path, f"usr/lib/{ARM}/crti.o", *gcc("9"), *gcc("14"), *gcc("12"))
    found = find_runtime(root, ARM)
    assert found == SysrootRuntime(root / f"usr/lib/gcc/{ARM}/14")
    assert found.flags == (f"--gcc-install-dir={root}/usr/lib/gcc/{ARM}/14",)


def test_alpine_calls_it_by_other_names(tmp_path: Path) -> None:
    own = gcc("13.2.1", "x86_64-alpine-linux-musl")
    root = sysroot(tmp_path, "usr/lib/crti.o", own[0], "usr/lib/libstdc++.so")
    assert find_runtime(root, "x86_64-linux-gnu") == SysrootRuntime((root / own[0]).parent)


@pytest.mark.parametrize("lacking", [0, 1, 2])
def test_a_part_of_a_runtime_is_none(tmp_path: Path, lacking: int) -> None:
    names = [f"usr/lib/{ARM}/crti.o", *gcc("12")]
    del names[lacking]
    assert find_runtime(sysroot(tmp_path, *names), ARM) is None
    assert find_runtime(tmp_path / "nothing", ARM) is None
