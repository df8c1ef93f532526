from __future__ import annotations

import pytest

from slim_python_image.products import TargetEnvironment
from slim_python_image.util_rules.wheel_tags import fits_target

ARM = TargetEnvironment("linux/arm/v7", "3.11.2", "glibc", "2.36")


@pytest.mark.parametrize(
    ("tags", "rank"),
    [
        ("cp311-cp311-manylinux_2_17_armv7l.manylinux2014_armv7l", 0),
        ("cp311-cp311-linux_armv7l", 0),
        ("py3-none-manylinux_2_31_armv7l", 0),
        ("cp39-abi3-manylinux2014_armv7l", 1),
        ("py2.py3-none-any", 2),
        ("cp311-none-any", 2),
        ("cp312-abi3-manylinux2014_armv7l", None),
        ("cp312-cp312-manylinux2014_armv7l", None),
        ("cp311-cp311-manylinux_2_39_armv7l", None),
        ("cp311-cp311-musllinux_1_2_armv7l", None),
        ("cp311-cp311-manylinux_2_17_x86_64", None),
        ("py2-none-any", None),
    ],
)
def test_the_wheels_that_a_target_takes(tags: str, rank: int | None) -> None:
    assert fits_target(f"cython-3.0-{tags}.whl", ARM) == rank


def test_no_platform_takes_the_wheel_of_another() -> None:
    unknown = TargetEnvironment("linux/mips64le", "3.11.2", "glibc", "2.36")
    assert fits_target("cython-3.0-cp311-cp311-linux_None.whl", ARM) is None
    assert fits_target("cython-3.0-cp311-cp311-linux_armv7l.whl", unknown) is None
