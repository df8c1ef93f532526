"""What is composed in Pants's own process, on its own Python, is what the core's steps write."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest

import ociwheel
from ociwheel.image.compose import compose_image, compose_index
from slim_python_image.products import SlimImageError
from slim_python_image.util_rules import manifests
from slim_python_image.util_rules.manifests import composed

LAYER = {
    "descriptor": {
        "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
        "digest": "sha256:" + "a" * 64,
        "size": 7,
    },
    "diff_id": "sha256:" + "b" * 64,
    "unpacked_size": 9,
    "title": "sources",
}


def image(**changes: Any) -> dict[str, Any]:
    request = {"platform": "linux/arm/v7", "layers": [LAYER], "config": {}, "created": 0, "annotations": {}}
    return {**request, **changes}


def test_a_manifest_and_its_index() -> None:
    made = compose_image(image())
    assert made.document["size"] == 7 + sum(len(data) for data in made.files.values())
    manifest = json.loads(made.files["blobs/sha256/" + made.document["manifest"]["digest"][7:]])
    assert [layer["size"] for layer in manifest["layers"]] == [7]
    index = compose_index({"manifests": [made.document["manifest"]], "annotations": {}, "name": "latest"})
    assert sorted(index.files)[1:] == ["index.json", "oci-layout"]
    assert (
        json.loads(index.files["index.json"])["manifests"][0]["digest"]
        == (index.document["descriptor"]["digest"])
    )


def test_an_error_of_the_core_is_one_that_a_user_reads() -> None:
    with pytest.raises(SlimImageError, match="layers: an image needs a list"), manifests._messages():
        compose_image(image(layers=[]))


def test_what_a_document_was_made_from_has_the_shape_of_a_step() -> None:
    fields = composed("image", "{}", "c0de").fields()
    assert sorted(fields) == ["arguments", "code", "files", "interpreter", "libraries", "step", "trees"]
    assert composed("image", "{}", "c0de") != composed("image", "[]", "c0de")
    assert composed("image", "{}", "c0de") != composed("image", "{}", "0000")


def test_the_core_that_runs_here_needs_no_library_and_no_later_python() -> None:
    """It is imported above, on this Python; what it imports is of the standard library, or of its like."""
    folder = Path(ociwheel.__file__).parent
    todo, seen = [f"ociwheel.{name}" for name in CALLED], set()
    while todo:
        name = todo.pop()
        if name in seen:
            continue
        seen.add(name)
        path = folder.joinpath(*name.split(".")[1:])
        source = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        for node in ast.walk(ast.parse(source.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("ociwheel"):
                inner = [f"{node.module}.{one.name}" for one in node.names]
                todo += [
                    one for one in inner if folder.joinpath(*one.split(".")[1:]).with_suffix(".py").exists()
                ]
                todo.append(node.module)
            elif isinstance(node, (ast.Import, ast.ImportFrom)):
                names = (
                    [node.module] if isinstance(node, ast.ImportFrom) else [one.name for one in node.names]
                )
                assert {str(one).split(".")[0] for one in names} <= STANDARD, name
    assert "ociwheel.image.layout" in seen


CALLED = ("image.compose", "digest", "image_name", "platforms", "reading", "schemas")
STANDARD = frozenset(
    (
        *(
            "__future__",
            "collections",
            "dataclasses",
            "datetime",
            "functools",
            "hashlib",
            "ipaddress",
            "json",
            "operator",
            "os",
            "pathlib",
            "re",
        ),
        *("string", "typing", "unicodedata"),
    )
)
