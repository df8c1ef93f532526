from __future__ import annotations

from typing import Any

import pytest
from pants.engine.addresses import Address
from pants.engine.fs import EMPTY_DIGEST
from pants.engine.platform import Platform
from pants.engine.target import InvalidTargetException

from slim_python_image.goals.image_tests import ImageTestFieldSet, platform_to_test, results_file
from slim_python_image.image_test_target import SlimImageTestTarget
from slim_python_image.products import SlimImageError, Wheel
from slim_python_image.util_rules.tested_content import (
    brought,
    check_pytest,
    config_file,
    pytest_names,
)

ADDRESS = Address("src/app", target_name="image-test")


def field_set(**fields: Any) -> ImageTestFieldSet:
    target = SlimImageTestTarget({"image": ":image", **fields}, ADDRESS)
    assert ImageTestFieldSet.is_applicable(target)
    return ImageTestFieldSet.create(target)


def test_what_is_expected() -> None:
    found = field_set(files_absent=["/bin/sh"], commands=["python"], env={"A": "b"}, user="nonroot")
    assert found.expected() == {
        "files_present": [],
        "files_absent": ["/bin/sh"],
        "commands": ["python"],
        "env": {"A": "b"},
        "user": "nonroot",
    }
    assert "user" not in field_set().expected()


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"files_present": ["app/x"]}, "`files_present` has 'app/x'; expected absolute paths"),
        ({"files_absent": ["*.c"]}, r"`files_absent` has '\*.c'; expected absolute paths"),
        ({"commands": ["bin/x"]}, "`commands` has 'bin/x'; expected names such as 'python'"),
        ({"timeout": 0}, "timeout"),
    ],
)
def test_fields_that_make_no_sense(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidTargetException, match=said):
        field_set(**fields)


def test_tests_run_on_this_machines_platform() -> None:
    image = Address("src/app", target_name="image")
    both = ("linux/amd64", "linux/arm64")
    assert platform_to_test(image, both, Platform.macos_arm64) == "linux/arm64"
    with pytest.raises(SlimImageError) as caught:
        platform_to_test(image, ("linux/arm/v7",), Platform.linux_x86_64)
    assert str(caught.value) == (
        "src/app:image: it is built for linux/arm/v7, and tests run on this machine's linux/amd64\n"
        "  -> add it to the field `platforms`"
    )


def test_the_name_of_the_results() -> None:
    assert results_file(ADDRESS) == "src.app.image-test.xml"


@pytest.mark.parametrize(
    ("names", "asked", "expected"),
    [
        (["Pytest", "pytest_asyncio", "pluggy", "colorama"], [], ("pytest", "pytest-asyncio")),
        (["pytest", "pytest-cov"], ["pytest>=8"], ("pytest>=8",)),
        (["idna"], [], ()),
    ],
)
def test_what_pytest_is(names: list[str], asked: list[str], expected: tuple[str, ...]) -> None:
    assert pytest_names(names, asked) == expected


def test_a_lock_without_pytest() -> None:
    check_pytest(("pytest[x]>=8", "pytest-cov"), "a.lock", ADDRESS)
    with pytest.raises(SlimImageError) as caught:
        check_pytest(("pytest-cov",), "3rdparty/a.lock", ADDRESS)
    assert str(caught.value) == (
        "src/app:image-test: no pytest can run in it, because 3rdparty/a.lock has none\n"
        "  -> lock pytest in a resolve, and name that in `[pytest].install_from_resolve`"
    )


@pytest.mark.parametrize(
    ("paths", "tests", "expected"),
    [
        (["pyproject.toml", "pytest.ini"], ["src/a/a_test.py"], "pytest.ini"),
        (["pytest.ini", "src/a/tox.ini"], ["src/a/a_test.py", "src/a/b/b_test.py"], "src/a/tox.ini"),
        (["pytest.ini", "src/a/tox.ini"], ["src/a/a_test.py", "src/b/b_test.py"], "pytest.ini"),
        (["src/b/pytest.ini", "src/app/pytest.ini"], ["src/ap/a_test.py"], None),
        ([], ["a_test.py"], None),
    ],
)
def test_what_configures_pytest(paths: list[str], tests: list[str], expected: str | None) -> None:
    assert config_file(paths, tests) == expected


def wheel(name: str, version: str) -> Wheel:
    return Wheel(name, version, f"{name}-{version}-py3-none-any.whl", 1, "a" * 64, EMPTY_DIGEST)


def test_wheels_that_are_brought_along() -> None:
    image = [wheel("anyio", "1"), wheel("typing_extensions", "1")]
    tests = [wheel("anyio", "1"), wheel("pluggy", "1")]
    tool = [wheel("typing-extensions", "2"), wheel("pytest", "9"), wheel("Pluggy", "2")]
    assert brought(image, tests, tool) == (wheel("pluggy", "1"), wheel("pytest", "9"))
