from __future__ import annotations

import json
from typing import Any

import pytest
from pants.core.goals.package import OutputPathField
from pants.engine.addresses import Address
from pants.engine.fs import EMPTY_DIGEST

from slim_python_image.goals.package_image import SlimImageFieldSet, log_lines, output_of, report
from slim_python_image.goals.relations import Relations, chain, common_ancestors, resolved
from slim_python_image.products import Layer, SlimImageError, StepInputs, Wheel
from slim_python_image.target_types import SlimPythonImageTarget
from slim_python_image.util_rules.image import BuiltImage, PlatformImage
from slim_python_image.util_rules.manifests import Manifest
from slim_python_image.util_rules.references import archive_references

BASE = Address("3rdparty", target_name="base")
OTHER_BASE = Address("3rdparty", target_name="other")
INPUTS = StepInputs('{"step":"wheel-layer"}')


def address(name: str) -> Address:
    return Address("src", target_name=name)


def images(**extends: str | None) -> dict[Address, Relations]:
    return {address(name): Relations(BASE, address(to) if to else None) for name, to in extends.items()}


def layer(name: str, size: int, unpacked: int) -> Layer:
    digest = f"sha256:{name * 64}"
    document = {
        "schema": "ociwheel.layer/1",
        "title": f"layer {name}",
        "descriptor": {"mediaType": "t", "digest": digest, "size": size},
        "diff_id": f"sha256:{name * 63}0",
        "unpacked_size": unpacked,
        "files": 1,
        "contents": [{"type": "wheel", "name": name, "version": "1"}],
    }
    return Layer(
        document=json.dumps(document),
        digest=digest,
        size=size,
        unpacked_size=unpacked,
        title=f"layer {name}",
        elf_files=0,
        blobs=EMPTY_DIGEST,
        facts=EMPTY_DIGEST,
        inputs=INPUTS,
    )


def built() -> BuiltImage:
    manifest = Manifest(
        descriptor=json.dumps({"digest": "sha256:m"}),
        document=json.dumps({"size": 3 * 2**20}),
        blobs=EMPTY_DIGEST,
    )
    wheel = Wheel("idna", "3.10", "idna-3.10-py3-none-any.whl", 1, "f" * 64, EMPTY_DIGEST)
    one = PlatformImage(
        platform="linux/arm/v7",
        manifest=manifest,
        layers=(layer("a", 2**20, 4 * 2**20), layer("b", 2**21, 2**22)),
        base_layers=1,
        wheels=(wheel,),
        audit=json.dumps({"schema": "ociwheel.audit/1", "elf_files": 7}),
        context=json.dumps({"config": {"user": "nonroot"}}),
    )
    fields = json.dumps({"layer_budget": 8})
    return BuiltImage(address("image"), "sha256:i", (one,), EMPTY_DIGEST, fields=fields)


# --- what images share ---------------------------------------------------------------------------------


def test_a_chain_ends_at_an_image_that_extends_none() -> None:
    assert chain(images(a="b", b="c", c=None), address("a")) == tuple(map(address, "abc"))


@pytest.mark.parametrize("extends", [{"a": "b", "b": "a"}, {"a": "b", "b": "gone"}])
def test_a_chain_ends_where_it_is_broken(extends: dict[str, str]) -> None:
    assert chain(images(**extends), address("a")) == (address("a"), address("b"))


def test_siblings_have_their_nearest_parent_in_common() -> None:
    family = images(root=None, parent="root", one="parent", two="parent", stranger=None)
    assert common_ancestors(family, address("one")) == (frozenset({address("parent"), address("root")}), True)
    assert common_ancestors(family, address("root")) == (frozenset({address("root")}), True)
    assert common_ancestors(family, address("stranger")) == (frozenset(), True)


def test_an_image_alone_shares_nothing() -> None:
    assert common_ancestors(images(a=None), address("a")) == (frozenset(), False)
    two = {**images(a=None), address("b"): Relations(OTHER_BASE, None)}
    assert common_ancestors(two, address("a")) == (frozenset(), False)


# --- what is said --------------------------------------------------------------------------------------


def test_the_log() -> None:
    assert log_lines(built(), frozenset({"sha256:" + "a" * 64})) == (
        "  index sha256:i",
        "  linux/arm/v7: 3.0 MiB compressed, 8.0 MiB unpacked, 2 layers, 1.0 MiB shared with other images",
    )


def test_the_report() -> None:
    found = report(built())
    (platform,) = found.pop("platforms")
    assert found == {
        "schema": "slim-python-image.report/2",
        "target": "src:image",
        "digest": "sha256:i",
        "step": None,
        "fields": {"layer_budget": 8},
        "steps": {INPUTS.key: {"step": "wheel-layer"}},
    }
    assert {key: platform[key] for key in ("platform", "digest", "size", "unpacked_size", "audit")} == {
        "platform": "linux/arm/v7",
        "digest": "sha256:m",
        "size": 3 * 2**20,
        "unpacked_size": 8 * 2**20,
        "audit": {"elf_files": 7},
    }
    assert platform["layers"][0] == {
        "title": "layer a",
        "digest": "sha256:" + "a" * 64,
        "diff_id": "sha256:" + "a" * 63 + "0",
        "size": 2**20,
        "unpacked_size": 4 * 2**20,
        "contents": [{"type": "wheel", "name": "a", "version": "1"}],
        "left_out": [],
        "step": INPUTS.key,
    }
    assert platform["wheels"] == [
        {
            "name": "idna",
            "version": "3.10",
            "filename": "idna-3.10-py3-none-any.whl",
            "sha256": "f" * 64,
            "step": None,
        }
    ]
    assert platform["config"] == {"user": "nonroot"}


@pytest.mark.parametrize(
    ("folder", "fields", "names"),
    [
        ("src/brewblox/Spark", {}, ("src/brewblox/spark/image:latest",)),
        ("", {}, ("image:latest",)),
        (
            "src",
            {"repository": "brewblox/spark", "image_tags": ["1", "edge"]},
            ("brewblox/spark:1", "brewblox/spark:edge"),
        ),
        ("src/Spark", {"repository": "{directory}/{name}"}, ("spark/image:latest",)),
    ],
)
def test_names_of_archives(folder: str, fields: dict[str, Any], names: tuple[str, ...]) -> None:
    target = SlimPythonImageTarget({"base": ":b", **fields}, Address(folder, target_name="image"))
    assert archive_references(SlimImageFieldSet.create(target).names(), "sha256:0") == names


def test_an_image_as_base_counts_as_extended() -> None:
    three = {
        address("a"): Relations(BASE, None),
        address("b"): Relations(address("a"), None),
        address("c"): Relations(address("b"), None),
    }
    assert resolved(three, address("a")) == Relations(BASE, None)
    assert resolved(three, address("c")) == Relations(BASE, address("b"))


def test_images_of_another_compression_share_no_base() -> None:
    two = {**images(a=None), address("b"): Relations(BASE, None, "zstd")}
    assert common_ancestors(two, address("a")) == (frozenset(), False)
    two[address("a")] = Relations(BASE, None, "zstd")
    assert common_ancestors(two, address("a")) == (frozenset(), True)


@pytest.mark.parametrize("path", ["../x", ".", "/images/app", "a/../../b", "a//b", "images/.", "a/"])
def test_an_output_path_outside_of_dist_is_refused_before_anything_is_cleared(path: str) -> None:
    field = OutputPathField(path, Address("src/app", target_name="image"))
    with pytest.raises(SlimImageError) as e:
        output_of(field)
    assert str(e.value) == (
        f"src/app:image: the field `output_path` is {path!r}, which is no place below the folder `dist`\n"
        "  -> write a relative path, for example output_path='images/image', or leave the field out"
    )


def test_where_package_writes() -> None:
    address = Address("src/app", target_name="image")
    assert output_of(OutputPathField("images/app", address)) == "images/app"
    assert output_of(OutputPathField(None, address)) == "src.app/image"
