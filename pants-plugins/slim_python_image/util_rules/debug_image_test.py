from __future__ import annotations

from dataclasses import replace

import pytest
from pants.util.frozendict import FrozenDict

from slim_python_image.bases import DebianBase, DebPackage, Interpreter, LayerGroup
from slim_python_image.products import SlimImageError, TargetEnvironment
from slim_python_image.util_rules.base_locks import relock_command
from slim_python_image.util_rules.debug_image import TOOLS, debug_packages, shell

TARGET = TargetEnvironment("linux/amd64", "3.11.2", "glibc", "2.36")


def package(name: str) -> DebPackage:
    return DebPackage(name, "1", "amd64", "debian", f"pool/{name}.deb", 1, "a" * 64)


LIBC = package("libc6")
BASE = DebianBase(
    "bookworm",
    TARGET,
    Interpreter("bookworm", TARGET, None),
    (LayerGroup("base", bytecode=False, packages=(LIBC,)),),
    (),
    programs=FrozenDict(
        {
            **{name: (package(name), LIBC, package("libtinfo6")) for name in TOOLS},
            "make": (package("make"), LIBC),
            "bubblewrap": (package("bubblewrap"), LIBC),
        }
    ),
)


def test_tools_without_what_the_base_has() -> None:
    found = [one.name for one in debug_packages(BASE, "src:image")]
    assert found == sorted([*TOOLS, "libtinfo6"])


def test_a_lock_without_tools() -> None:
    old = replace(BASE, programs=FrozenDict({"make": (package("make"),)}))
    with pytest.raises(SlimImageError) as caught:
        debug_packages(old, "src:image")
    assert str(caught.value) == (
        "src:image: the lock of bookworm has no tools to look around with\n"
        f"  -> lock them: {relock_command('bookworm')}"
    )


def test_tools_of_another_platform() -> None:
    other = replace(BASE, target=replace(TARGET, platform="linux/arm64"))
    with pytest.raises(SlimImageError, match="are for linux/amd64, and the image is for linux/arm64\n  -> "):
        debug_packages(other, "src:image")


def test_the_shell_of_an_image_without_a_layer_of_tools() -> None:
    assert shell(()) == ("/bin/sh",)
