from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any

import pytest
from pants.engine.fs import EMPTY_DIGEST, CreateDigest, Digest, DigestEntries, FileDigest, FileEntry
from slim_python_image_testing.definitions import CONFIG, definition

from slim_python_image.bases import DebianBase, Interpreter
from slim_python_image.products import TargetEnvironment
from slim_python_image.util_rules.first_party import source_layer_requests
from slim_python_image.util_rules.image_content import ImageContent
from slim_python_image.util_rules.image_definition import ImageDefinition
from slim_python_image.util_rules.layers import SourceLayerRequest

TARGET = TargetEnvironment("linux/arm64", "3.11.2", "glibc", "2.36")
BASE = DebianBase("base", TARGET, Interpreter("base", TARGET, None), (), ())
KNOWN: dict[Digest, tuple[FileEntry, ...]] = {EMPTY_DIGEST: ()}


def tree(entries: Any) -> Digest:
    """Stand in for the store: a digest for files, which are remembered."""
    found = tuple(sorted(entries, key=lambda one: one.path))
    if not found:
        return EMPTY_DIGEST
    digest = Digest(hashlib.sha256(repr(found).encode()).hexdigest(), len(found))
    KNOWN[digest] = found
    return digest


def files(**content: str) -> Digest:
    """Return a tree of files with the given content."""
    return tree(
        FileEntry(name, FileDigest(hashlib.sha256(text.encode()).hexdigest(), len(text)))
        for name, text in content.items()
    )


@dataclass(frozen=True)
class Image:
    """An image, and what is in it."""

    parts: ImageDefinition
    content: ImageContent


def image(name: str, sources: Digest = EMPTY_DIGEST, files: Digest = EMPTY_DIGEST, **changes: Any) -> Image:
    return Image(definition(name, TARGET.platform, **changes), ImageContent(sources, files))


def with_scripts(found: Image, *scripts: tuple[str, str]) -> Image:
    return replace(found, parts=replace(found.parts, scripts=scripts))


def with_files(found: Image, files: Digest) -> Image:
    return replace(found, content=replace(found.content, files=files))


def layers(*line: Image) -> tuple[SourceLayerRequest, ...]:
    """Return the layers of an image, given with those it extends."""
    coroutine = source_layer_requests([one.parts for one in line], [one.content for one in line], BASE)
    value: Any = None
    while True:
        try:
            get = coroutine.send(value)
        except StopIteration as done:
            found: tuple[SourceLayerRequest, ...] = done.value
            return found
        given = get.inputs[0]
        value = tree(given) if isinstance(given, CreateDigest) else DigestEntries(KNOWN[given])


def contents(*line: Image) -> list[tuple[str, list[str]]]:
    """Return the titles of an image's layers, and the names of their files."""
    return [
        (one.title, [entry.path for digest in (one.sources, one.files) for entry in KNOWN[digest]])
        for one in layers(*line)
    ]


SERVICE = image("service", sources=files(app="1", health="2"))


def test_an_image_that_extends_none_has_one_layer() -> None:
    (layer,) = layers(with_files(with_scripts(SERVICE, ("serve", "app:main")), files(page="3")))
    assert (layer.title, layer.sources) == ("sources of service:image", SERVICE.content.sources)
    assert (layer.files, layer.scripts) == (files(page="3"), (("serve", "app:main"),))
    # One for all platforms.
    assert layer.target.platform == "linux/amd64"


def test_an_image_without_code_has_its_layer_too() -> None:
    assert contents(image("empty")) == [("sources of empty:image", [])]


def test_the_layer_of_the_extended_image_is_taken_as_it_is() -> None:
    child = image("child", sources=files(app="1", health="2", own="4"))
    assert layers(child, SERVICE)[0] == layers(SERVICE)[0]
    assert contents(child, SERVICE)[1:] == [("sources of child:image", ["own"])]


def test_an_edit_of_the_child_leaves_the_shared_layer_alone() -> None:
    before, after = (image("child", sources=files(app="1", own=text)) for text in ("4", "5"))
    assert layers(before, SERVICE)[0] == layers(after, SERVICE)[0]
    assert layers(before, SERVICE)[1] != layers(after, SERVICE)[1]


def test_no_file_comes_that_the_image_does_not_need() -> None:
    child = image("child", sources=files(app="1", own="4"))
    assert contents(child, SERVICE) == [
        ("shared sources of service:image", ["app"]),
        ("sources of child:image", ["own"]),
    ]


def test_a_file_with_other_bytes_is_not_shared() -> None:
    child = image("child", sources=files(app="another"))
    assert contents(child, SERVICE) == [("sources of child:image", ["app"])]


def test_nothing_of_its_own_is_no_layer() -> None:
    child = image("child", sources=SERVICE.content.sources)
    assert layers(child, SERVICE) == layers(SERVICE)
    with_script = with_scripts(child, ("run", "app:main"))
    assert contents(with_script, SERVICE)[1:] == [("sources of child:image", [])]


def test_scripts_of_the_extended_image_stay_there() -> None:
    service = with_scripts(SERVICE, ("serve", "app:main"))
    child = image("child", sources=files(app="1", health="2", own="4"))
    found = layers(child, service)
    assert [one.scripts for one in found] == [(), ()]
    assert found[0].title == "shared sources of service:image"


@pytest.mark.parametrize(("workdir", "shared"), [("/app", True), ("/srv", False)])
def test_loose_files_are_shared_where_they_lie_in_the_same_folder(workdir: str, shared: bool) -> None:
    service = with_files(SERVICE, files(page="3"))
    config = replace(CONFIG, workdir=workdir)
    child = image("child", sources=SERVICE.content.sources, files=files(page="3"), config=config)
    found = layers(child, service)
    assert (len(found) == 1) == shared
    assert found[-1].files == files(page="3")
    assert found[-1].workdir == workdir


def test_a_line_of_images_shares_layer_by_layer() -> None:
    middle = image("middle", sources=files(app="1", health="2", m="3"))
    top = image("top", sources=files(app="1", health="2", m="3", t="4"))
    assert layers(top, middle, SERVICE)[:2] == layers(middle, SERVICE)
    assert contents(top, middle, SERVICE)[2:] == [("sources of top:image", ["t"])]
