from __future__ import annotations

from dataclasses import replace

import pytest
from pants.util.docutil import bin_name

from slim_python_image.bases import DebianBase, DebPackage, Interpreter
from slim_python_image.products import SlimImageError, TargetEnvironment
from slim_python_image.util_rules.emulation import container_request, emulating_base

ARM = TargetEnvironment("linux/arm/v7", "3.11.2", "glibc", "2.36")


def deb(name: str) -> DebPackage:
    return DebPackage(name, "1", "armhf", "debian", f"pool/{name}.deb", 1, "0" * 64)


BASE = DebianBase(
    "bookworm",
    ARM,
    Interpreter("bookworm", replace(ARM, platform="linux/amd64"), None),
    (),
    (deb("zlib1g-dev"),),
    emulation=(deb("gcc"), deb("zlib1g-dev")),
)


def test_the_container_has_the_compiler_and_the_distributions_own_packages_once() -> None:
    request = container_request(BASE, (deb("zlib1g-dev"), deb("libxml2-dev")))
    assert [package.name for package in request.packages] == ["gcc", "zlib1g-dev", "libxml2-dev"]
    assert request.target == ARM


def test_a_base_without_a_compiler() -> None:
    with pytest.raises(SlimImageError) as e:
        emulating_base(replace(BASE, emulation=()), "lxml")
    assert str(e.value) == (
        "[slim-image].builds: lxml is to be built in a container of linux/arm/v7 (`emulate`), and the base "
        "bookworm has locked no compiler to make one of\n"
        '  -> give the base emulation_packages=["g++", "gcc", "libc6-dev", "make"], then: '
        f"{bin_name()} generate-lockfiles --resolve=bookworm"
    )
