"""What is said of an image, as far as it needs no engine; `sbom_test.py` of the core reads the documents."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from pants.engine.addresses import Address
from pants.engine.fs import EMPTY_DIGEST, FileDigest, FileEntry
from pants.testutil.option_util import create_subsystem
from slim_python_image_testing.definitions import definition

from slim_python_image import engine
from slim_python_image.bases import DebPackage, DebPackages, Interpreter
from slim_python_image.products import Artifact, SlimImageError, TargetEnvironment
from slim_python_image.subsystems.options import SlimImageOptions
from slim_python_image.util_rules import attestations
from slim_python_image.util_rules.build_pins import Crate
from slim_python_image.util_rules.build_wheel import BuildWheelRequest
from slim_python_image.util_rules.image import BuiltImage, PlatformImage
from slim_python_image.util_rules.image_content import ImageContent
from slim_python_image.util_rules.manifests import Manifest
from slim_python_image.util_rules.placed import PlacedFiles
from slim_python_image.util_rules.sysroot import GccRequest, ProgramsRequest
from slim_python_image.util_rules.wheels import Builds

TARGET = TargetEnvironment("linux/amd64", "3.11.2", "glibc", "2.36")


def debs(name: str) -> DebPackages:
    return DebPackages((DebPackage(name, "1", "amd64", "debian", f"pool/{name}.deb", 1, "a" * 64),), "base")


def artifact(name: str) -> Artifact:
    return Artifact(name, "1", "sdist", f"{name}-1.tar.gz", "b" * 64)


def test_all_that_compiles_is_told() -> None:
    build = BuildWheelRequest(
        artifact=artifact("rusty"),
        target=TARGET,
        builder=debs("zlib1g-dev"),
        interpreter=Interpreter("base", TARGET, None),
        pins=(artifact("maturin"),),
        settings="{}",
        resolve="default",
        programs=ProgramsRequest(TARGET, debs("cargo"), debs("libc6-dev")),
        crates=(Crate("libc", "0.2.1", "c" * 64),),
        gcc=GccRequest(TARGET, debs("gcc-12")),
    )
    (row,) = attestations.build_rows(Builds((build,), ()), artifact("ziglang"))
    assert [one["name"] for one in row["packages"]] == ["zlib1g-dev", "cargo", "libc6-dev", "gcc-12"]
    assert row["crates"] == [{"name": "libc", "version": "0.2.1", "sha256": "c" * 64}]


def test_files_at_absolute_places_are_materials(monkeypatch: pytest.MonkeyPatch) -> None:
    class Content:
        address = Address("src", target_name="image")
        sources, files = "sources", "files"
        placed = PlacedFiles(EMPTY_DIGEST, '[{"file": "0", "path": "/etc/app.ini"}]')

    async def entries(digest: Any) -> list[FileEntry]:
        path = "0" if digest == EMPTY_DIGEST else f"{digest}.txt"
        return [FileEntry(path, FileDigest("d" * 64, 1))]

    monkeypatch.setattr(engine, "entries", entries)
    content: Any = Content
    found = asyncio.run(attestations._first_party(content))
    assert [one["uri"] for one in found] == ["file:sources.txt", "file:files.txt", "file:/etc/app.ini"]


def options(**given: Any) -> SlimImageOptions:
    made: SlimImageOptions = create_subsystem(
        SlimImageOptions,
        **{"attestations": ["provenance"], "provenance_builder": "urn:b", "provenance_source": None, **given},
    )
    return made


def statement(monkeypatch: pytest.MonkeyPatch, **given: Any) -> Any:
    """Return the provenance of an image of nothing."""

    async def nothing(*_: Any) -> list[FileEntry]:
        return []

    monkeypatch.setattr(engine, "entries", nothing)
    manifest = Manifest(json.dumps({"digest": f"sha256:{'e' * 64}"}), "{}", EMPTY_DIGEST)
    one = PlatformImage("linux/amd64", manifest, (), 0, (), "{}")
    parts = definition("src", "linux/amd64")
    content = ImageContent(EMPTY_DIGEST, EMPTY_DIGEST)
    image = BuiltImage(parts.address, f"sha256:{'f' * 64}", (one,), EMPTY_DIGEST, fields='{"resolve": "r"}')
    return asyncio.run(attestations.image_provenance(image, parts, content, (), options(**given)))


def test_the_revision_is_a_material_where_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    commit = "0123456789abcdef0123456789abcdef01234567"
    uri = f"git+https://git.example.com/shop@{commit}"
    found = statement(monkeypatch, provenance_source=uri)["predicate"]["buildDefinition"]
    assert found["resolvedDependencies"] == [{"uri": uri, "digest": {"gitCommit": commit}}]
    # What is no commit is named, and no digest is made up for it.
    named = statement(monkeypatch, provenance_source="git+https://git.example.com/shop@v1.0")
    assert named["predicate"]["buildDefinition"]["resolvedDependencies"] == [
        {"uri": "git+https://git.example.com/shop@v1.0"}
    ]
    without = statement(monkeypatch)["predicate"]["buildDefinition"]
    assert without["resolvedDependencies"] == []


def test_provenance_says_who_built_what_of_which_target(monkeypatch: pytest.MonkeyPatch) -> None:
    said = statement(monkeypatch, provenance_builder="https://ci.example.com/runner")
    assert [(one["name"], one["digest"]["sha256"][0]) for one in said["subject"]] == [
        ("src:image", "f"),
        ("linux/amd64", "e"),
    ]
    assert said["predicate"]["runDetails"]["builder"]["id"] == "https://ci.example.com/runner"
    assert said["predicate"]["buildDefinition"]["externalParameters"] == {
        "target": "src:image",
        "platforms": ["linux/amd64"],
        "fields": {"resolve": "r"},
    }


def test_kinds_of_documents_are_those_asked_for_in_one_order() -> None:
    assert attestations.asked(options(attestations=["provenance", "spdx"])) == ("spdx", "provenance")
    assert attestations.asked(options(attestations=[])) == ()
    with pytest.raises(SlimImageError) as e:
        attestations.asked(options(attestations=["slsa", "spdx"]))
    assert str(e.value) == (
        "[slim-image].attestations has 'slsa'\n  -> use 'spdx', 'cyclonedx', 'provenance'"
    )


def test_what_is_from_a_commit_says_so_and_nothing_else_does() -> None:
    plain = Artifact("web", "1.0", "wheel", "web-1.0-py3-none-any.whl", "a" * 64)
    assert "source" not in attestations.wheel_row(plain, ())
    commit = Artifact("tool", "1.0", "sdist", "tool-1.0.tar", "b" * 64, '{"kind":"git","url":"https://h/t"}')
    assert attestations.wheel_row(commit, ())["source"] == {"kind": "git", "url": "https://h/t"}
