from __future__ import annotations

from dataclasses import replace

import pytest
from pants.util.docutil import bin_name

from slim_python_image.bases import DebianBase, DebPackage, Interpreter
from slim_python_image.products import Artifact, SlimImageError, TargetEnvironment
from slim_python_image.util_rules.build_pins import pins_for
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


def test_build_requirements_are_wheels_for_the_containers_platform() -> None:
    sdist = Artifact("lxml", "5.0", "sdist", "lxml-5.0.tar.gz", "a" * 64)
    files = ["cffi-2.0-cp311-cp311-manylinux_2_17_x86_64.whl", "cffi-2.0-cp311-cp311-linux_armv7l.whl"]
    lock = {
        "environments": [{"sdist": "lxml==5.0", "sha256": "a" * 64, "python": "3.11", "pins": ["cffi==2.0"]}],
        "files": {"cffi==2.0": [{"filename": name, "sha256": "b" * 64} for name in files]},
    }
    pins = pins_for(lock, sdist, "3.11", path="x", resolve="r", emulated=ARM)
    assert [artifact.filename for artifact in pins.artifacts] == files[1:]
    riscv = replace(ARM, platform="linux/riscv64")
    with pytest.raises(SlimImageError) as e:
        pins_for(lock, sdist, "3.11", path="x", resolve="r", emulated=riscv)
    assert str(e.value) == (
        "x: the build requirement cffi==2.0 of lxml==5.0 has no wheel for linux/riscv64\n"
        f"  -> lock its build requirements: {bin_name()} generate-lockfiles --resolve=r-build; where the "
        "index has none, constrain it to a version that has one"
    )
