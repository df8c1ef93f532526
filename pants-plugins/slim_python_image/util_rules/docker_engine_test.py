from __future__ import annotations

import pytest
from pants.engine.addresses import Address
from pants.engine.platform import Platform

from slim_python_image.products import SlimImageError
from slim_python_image.util_rules.docker_engine import loaded_platform

ADDRESS = Address("src/app", target_name="image")


def test_docker_gets_this_machines_platform_or_the_only_one() -> None:
    both = ("linux/amd64", "linux/arm64")
    assert loaded_platform(ADDRESS, both, Platform.macos_arm64) == "linux/arm64"
    assert loaded_platform(ADDRESS, ("linux/arm/v7",), Platform.linux_x86_64) == "linux/arm/v7"


def test_several_platforms_without_this_machines() -> None:
    with pytest.raises(SlimImageError) as caught:
        loaded_platform(ADDRESS, ("linux/arm64", "linux/arm/v7"), Platform.linux_x86_64)
    assert "not for this machine's linux/amd64\n  -> add linux/amd64 to the field" in str(caught.value)
