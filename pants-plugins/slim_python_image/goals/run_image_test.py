from __future__ import annotations

import pytest
from pants.engine.addresses import Address
from pants.engine.platform import Platform

from slim_python_image.goals.run_image import choose_platform, published
from slim_python_image.products import SlimImageError
from slim_python_image.util_rules.local_names import local_name

ADDRESS = Address("src/brewblox", target_name="image")
ALL = ("linux/amd64", "linux/arm/v7")


def test_the_machines_platform_or_the_one_asked_for() -> None:
    assert choose_platform(ADDRESS, ALL, None, Platform.macos_x86_64) == "linux/amd64"
    assert choose_platform(ADDRESS, ALL, "linux/arm/v7", Platform.linux_x86_64) == "linux/arm/v7"


def test_a_platform_that_the_image_is_not_built_for() -> None:
    with pytest.raises(SlimImageError) as caught:
        choose_platform(ADDRESS, ALL, None, Platform.linux_arm64)
    assert str(caught.value) == (
        "src/brewblox:image: it is built for linux/amd64, linux/arm/v7, not for linux/arm64\n"
        "  -> add it to the field `platforms`, or run another under emulation: "
        "--slim-image-run-platform=linux/amd64"
    )
    with pytest.raises(SlimImageError, match="choose one of them with --slim-image-run-platform"):
        choose_platform(ADDRESS, ALL, "linux/s390x", Platform.linux_x86_64)


@pytest.mark.parametrize(
    ("ports", "given", "expected"),
    [
        (["5000"], [], ["127.0.0.1:5000:5000"]),
        (["5000/tcp"], ["8080:5000"], ["8080:5000"]),
        (["5000", "53/udp"], ["0.0.0.0:8080:5000"], ["0.0.0.0:8080:5000", "127.0.0.1:53:53/udp"]),
        (["53/udp"], ["53:53"], ["53:53", "127.0.0.1:53:53/udp"]),
        ([], ["80"], ["80"]),
    ],
)
def test_ports(ports: list[str], given: list[str], expected: list[str]) -> None:
    assert list(published(ports, given)) == expected


@pytest.mark.parametrize(
    ("address", "name"),
    [
        (ADDRESS, "src/brewblox/image"),
        (Address("Src/_x", target_name="My.Image"), "src/x/my-image"),
        (Address("", target_name="image"), "image"),
    ],
)
def test_names_in_the_engine(address: Address, name: str) -> None:
    assert local_name(address, "linux/arm/v7") == f"localhost/slim-python-image/{name}:linux-arm-v7"
