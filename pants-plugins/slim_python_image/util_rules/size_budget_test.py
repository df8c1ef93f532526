from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest
from pants.engine.addresses import Address
from pants.engine.fs import EMPTY_DIGEST
from pants.util.docutil import bin_name

from slim_python_image import engine
from slim_python_image.goals.sizes import size_lines
from slim_python_image.layer_fields import SizeBudgetField
from slim_python_image.products import Layer, SlimImageError
from slim_python_image.remote_layers import RemoteLayer
from slim_python_image.util_rules.image import BuiltImage, PlatformImage
from slim_python_image.util_rules.manifests import Manifest
from slim_python_image.util_rules.size_budget import (
    check_budget,
    over_budget,
    parse_recorded,
    recorded_text,
    sizes_of,
)

MIB = 1 << 20
FILE = "image-sizes.json"


def layer(rest: int = 0, kind: str = "wheel", **contents: int) -> Layer:
    """Return a layer that holds distributions, and ``rest`` bytes of nobody's."""
    rows = [
        {"type": kind, "name": name, "version": "1", "unpacked_size": size * MIB}
        for name, size in contents.items()
    ]
    size = (sum(contents.values()) + rest) * MIB
    return Layer(
        document=json.dumps({"contents": rows}),
        digest="sha256:0",
        size=1,
        unpacked_size=size,
        elf_files=0,
        title="t",
        blobs=EMPTY_DIGEST,
        facts=EMPTY_DIGEST,
    )


def image(*layers: Layer, base: Layer | None = None) -> BuiltImage:
    layers = (base or layer(50), *layers)
    one = PlatformImage("linux/amd64", Manifest("{}", "{}", EMPTY_DIGEST), layers, 1, (), "{}")
    return BuiltImage(Address("src/a", target_name="image"), "sha256:i", (one,), EMPTY_DIGEST)


def budgets(**texts: str) -> Any:
    return SizeBudgetField(
        {name.replace("ALL", "*"): text for name, text in texts.items()}, Address("a")
    ).budgets


IMAGE = image(layer(numpy=30, Py_YAML=2), layer(numpy=5), layer(3, kind="source"), layer(own_dist=1))


def test_packages_that_an_image_adds_count_as_its_base() -> None:
    added = image(layer(curl=7, kind="deb"), layer(0, rootfs=1, kind="rootfs"), layer(numpy=3))
    (one,) = added.platforms
    assert {name: size // MIB for name, size in sizes_of(one).items()} == {"numpy": 3, "the base": 58}
    own = image(layer(0, account=1, kind="rootfs"))
    assert {name: size // MIB for name, size in sizes_of(own.platforms[0]).items()} == {
        "first-party code": 1, "the base": 50,
    }  # fmt: skip


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    files: dict[str, bytes] = {}

    async def read_path(path: str) -> bytes | None:
        return files.get(path)

    monkeypatch.setattr(engine, "read_path", read_path)
    return files


def check(image: BuiltImage, **texts: str) -> None:
    asyncio.run(check_budget(image, budgets(**texts), FILE))


def test_what_an_image_is_made_of() -> None:
    sizes = sizes_of(IMAGE.platforms[0])
    assert {name: size // MIB for name, size in sizes.items()} == {
        "the base": 50,
        "numpy": 35,
        "py-yaml": 2,
        "first-party code": 3,
        "own-dist": 1,
    }
    assert sum(sizes.values()) == sum(one.unpacked_size for one in IMAGE.platforms[0].layers)


def test_layers_that_only_a_registry_has_count_by_what_is_known_of_them() -> None:
    remote = RemoteLayer("sha256:0", 7 * MIB, "t", "sha256:1", "", 0)
    base = replace(layer(), remote=remote, size=remote.size, unpacked_size=0)
    assert sizes_of(image(base=base).platforms[0]) == {"the base": 7 * MIB}
    assert sizes_of(image(base=replace(base, unpacked_size=9)).platforms[0]) == {"the base": 9}


def test_an_image_within_its_budgets_reads_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(engine, "read_path")
    check(IMAGE, ALL="91MiB", numpy="35MiB")
    check(IMAGE)


def test_a_glob_bounds_what_it_matches_together_and_no_base() -> None:
    sizes = sizes_of(IMAGE.platforms[0])
    over = list(over_budget(sizes, budgets(**{"n*": "34MiB", "Py?YAML": "1MiB", "t*": "0", "first*": "0"})))
    assert [(written, sorted(found)) for written, _, found in over] == [
        ("Py?YAML", ["py-yaml"]),
        ("n*", ["numpy"]),
    ]


def test_the_error_without_recorded_sizes(recorded: dict[str, bytes]) -> None:
    with pytest.raises(SlimImageError) as e:
        check(IMAGE, ALL="90MiB", numpy="34.5MiB")
    assert str(e.value) == (
        "src/a:image: it is larger than the field `size_budget` allows\n"
        "  linux/amd64: the image has 91.0 MiB, 1.0 MiB more than its budget of 90.0 MiB\n"
        "    largest: the base 50.0 MiB, numpy 35.0 MiB, first-party code 3.0 MiB, py-yaml 2.0 MiB, "
        "own-dist 1.0 MiB\n"
        "  linux/amd64: numpy has 35.0 MiB, 0.5 MiB more than its budget of 34.5 MiB\n"
        "  -> leave out what is not needed (`exclude`, fewer requirements), or raise the budget; "
        f"`{bin_name()} slim-sizes --record ::` writes down what later errors compare with"
    )
    assert recorded == {}


def test_the_error_says_what_grew(recorded: dict[str, bytes]) -> None:
    earlier = {**sizes_of(IMAGE.platforms[0]), "numpy": 20 * MIB, "gone": 9}
    del earlier["own-dist"]
    recorded[FILE] = recorded_text({"src/a:image": {"linux/amd64": earlier}})
    with pytest.raises(SlimImageError) as e:
        check(IMAGE, ALL="90MiB", numpy="34MiB", **{"py*": "1MiB"})
    assert [line for line in str(e.value).splitlines() if "grown" in line] == [
        "    grown since image-sizes.json: numpy +15.0 MiB, own-dist +1.0 MiB (new)",
        "    grown since image-sizes.json: numpy +15.0 MiB",
        "    grown since image-sizes.json: nothing",
    ]
    assert str(e.value).endswith("or raise the budget")


def test_recorded_sizes_are_read_as_they_are_written() -> None:
    images = {"b": {"linux/arm64": {"numpy": 1}}, "a": {"linux/amd64": {"the base": 2}}}
    text = recorded_text(images)
    assert parse_recorded(text, FILE) == images
    assert text == recorded_text(dict(reversed(images.items())))
    assert parse_recorded(None, FILE) == {}


@pytest.mark.parametrize("data", [b"", b"[]", b'{"schema": "x"}', b'{"schema": "slim-python-image.sizes/1"}'])
def test_something_else_in_the_place_of_sizes(data: bytes) -> None:
    with pytest.raises(SlimImageError, match=r"^image-sizes\.json: holds no sizes"):
        parse_recorded(data, FILE)


def test_what_the_goal_prints() -> None:
    earlier = {**sizes_of(IMAGE.platforms[0]), "numpy": 36 * MIB, "old": MIB}
    lines = list(size_lines(IMAGE, budgets(ALL="100MiB"), {"linux/amd64": earlier}))
    assert lines == [
        "src/a:image",
        "  linux/amd64: 91.0 MiB (-2.0 MiB)",
        "    budget *: 91.0 MiB of 100.0 MiB",
        "        50.0 MiB  the base",
        "        35.0 MiB  numpy (-1.0 MiB)",
        "         3.0 MiB  first-party code",
        "         2.0 MiB  py-yaml",
        "         1.0 MiB  own-dist",
        "         0.0 MiB  old (gone, it had 1.0 MiB)",
    ]
    assert list(size_lines(IMAGE, (), {}))[1:3] == ["  linux/amd64: 91.0 MiB", "        50.0 MiB  the base"]
