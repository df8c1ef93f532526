from __future__ import annotations

from typing import Any

import pytest
from pants.testutil.option_util import create_subsystem

from slim_python_image.products import SlimImageError
from slim_python_image.subsystems.options import LIMITS, SlimImageOptions


def options(**builds: Any) -> SlimImageOptions:
    return create_subsystem(SlimImageOptions, builds=builds)


def test_settings_are_found_by_any_spelling_of_the_name() -> None:
    assert options(PyYAML={"pure": True}).build_settings("pyyaml") == {"pure": True}
    assert options(**{"zope.interface": {"pure": True}}).build_settings("zope-interface") == {"pure": True}


def test_builder_packages_are_for_all_bases_or_by_base() -> None:
    one = options(lxml={"builder_packages": ["libxslt1-dev", "libxml2-dev"]}, PyYAML={"env": {}})
    assert one.builder_groups("any") == {"lxml": ("libxml2-dev", "libxslt1-dev")}
    both = options(lxml={"builder_packages": {"bookworm": ["libxml2-dev"], "trixie": ["libxml2-16-dev"]}})
    assert both.builder_packages("lxml", "trixie") == ("libxml2-16-dev",)
    assert both.builder_groups("bullseye") == {}


@pytest.mark.parametrize("value", ["libxml2-dev", [1], {"bookworm": "libxml2-dev"}])
def test_builder_packages_that_are_no_list(value: Any) -> None:
    with pytest.raises(SlimImageError, match="`builder_packages` of lxml"):
        options(lxml={"builder_packages": value}).builder_groups("bookworm")


def test_emulation_is_for_all_platforms_or_for_some() -> None:
    one = options(lxml={"emulate": True}, PyYAML={"emulate": ["linux/arm/v7"]}, ujson={"emulate": False})
    assert one.emulates("lxml", "linux/amd64")
    assert one.emulates("pyyaml", "linux/arm/v7")
    assert not one.emulates("pyyaml", "linux/arm64")
    assert not one.emulates("ujson", "linux/arm/v7")
    assert not one.emulates("netifaces", "linux/arm/v7")
    with pytest.raises(SlimImageError, match="`emulate` of lxml is 'linux/arm/v7'"):
        options(lxml={"emulate": "linux/arm/v7"}).emulates("lxml", "linux/arm/v7")


def limited(**changed: Any) -> tuple[str, ...]:
    given: dict[str, Any] = {"build_isolation": "auto", **LIMITS, **changed}
    return create_subsystem(SlimImageOptions, **given).isolation_arguments()


def test_limits_of_builds_are_in_no_key_by_default() -> None:
    assert limited() == ()
    changed = limited(build_isolation="required", build_time_limit=60, build_memory_limit=512)
    assert changed == ("--isolation", "required", "--time-limit", "60", "--memory-limit", "512")


@pytest.mark.parametrize(
    ("option", "value"), [("build_isolation", "none"), ("build_time_limit", 0), ("build_output_limit", -1)]
)
def test_limits_that_are_none(option: str, value: object) -> None:
    with pytest.raises(SlimImageError, match=rf"\[slim-image\]\.{option} is .*\n  -> use "):
        limited(**{option: value})
