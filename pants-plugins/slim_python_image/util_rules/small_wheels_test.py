"""Wheels that a lock tells to be small and for every platform come several at a time; others as they did."""

from __future__ import annotations

import json
from typing import Any, Coroutine

import pytest
from pants.engine.fs import EMPTY_DIGEST, Digest

from slim_python_image.products import Artifact
from slim_python_image.util_rules.locks import (
    DescribeRequest,
    Description,
    Descriptions,
    LockedLine,
    LockEntries,
    LockEntriesRequest,
    LockEntry,
)
from slim_python_image.util_rules.plans import PlannedArtifact
from slim_python_image.util_rules.small_wheels import SMALL, small_wheel, with_small_wheels

SHA = "a" * 64
HELD = Digest("d" * 64, 9)


def file(filename: str | None, size: int | None = None, sha256: str = SHA) -> dict[str, Any]:
    return {"filename": filename, "sha256": sha256, "size": size}


def fields(name: str, *files: dict[str, Any], **more: Any) -> dict[str, Any]:
    own = {"name": name, "version": "1", "requires_dist": [], "where": "x.lock"}
    return {**own, "files": list(files or [file(f"{name}-1-py3-none-any.whl")]), **more}


NATIVE, SDIST = file("a-1-cp311-cp311-linux_x86_64.whl"), file("a-1.tar.gz")


@pytest.mark.parametrize("size", [None, SMALL])
def test_a_small_wheel_for_every_platform(size: int | None) -> None:
    wheel = file("a-1-py2.py3-none-any.whl", size, "b" * 64)
    found = small_wheel(fields("a", NATIVE, wheel, SDIST))
    assert found == ("a-1-py2.py3-none-any.whl", LockedLine("a", "1", ("b" * 64,)))


@pytest.mark.parametrize(
    "entry",
    [
        fields("a", NATIVE, SDIST),
        fields("a", file("a-1-py2-none-any.whl")),
        fields("a", file("a-1-py3-none-any.whl"), file("a-1-1-py3-none-any.whl")),
        fields("a", file("a-1-py3-none-any.whl", SMALL + 1)),
        # Looked up anyway.
        fields("a", file(None)),
        fields("a", file("a-1-py3-none-any.whl"), file(None)),
        fields("a", requires_dist=None),
        # From elsewhere than an index.
        fields("a", source={"kind": "url", "url": "https://x.example/a.whl"}),
        fields("a", fault={"what": "bad"}),
    ],
)
def test_what_is_none(entry: dict[str, Any]) -> None:
    assert small_wheel(entry) is None


def run(
    coroutine: Coroutine[Any, Any, Any], entries: list[dict[str, Any]], lost: str = ""
) -> tuple[Any, list[list[str]]]:
    asked: list[list[str]] = []

    def one(line: LockedLine, count: int) -> Description | None:
        if line.name == lost:
            return None if count > 1 else Description("{}", EMPTY_DIGEST, "{}")
        artifact = None if line.name == "large" else f"{line.name}-1-py3-none-any.whl"
        return Description(json.dumps({"artifact": artifact}), HELD)

    def answer(get: Any) -> Any:
        request = get.inputs[0]
        if isinstance(request, LockEntriesRequest):
            return LockEntries("x.lock", tuple(LockEntry(e["name"], "1", json.dumps(e)) for e in entries))
        assert isinstance(request, DescribeRequest)
        asked.append([line.name for line in request.lines])
        return Descriptions(tuple(one(line, len(request.lines)) for line in request.lines))

    value: Any = None
    while True:
        try:
            got = coroutine.send(value)
        except StopIteration as e:
            return e.value, asked
        value = tuple(map(answer, got)) if isinstance(got, (list, tuple)) else answer(got)


def planned(name: str, filename: str = "", digest: Digest | None = None) -> PlannedArtifact:
    return PlannedArtifact(
        Artifact(name, "1", "wheel", filename or f"{name}-1-py3-none-any.whl", SHA), digest
    )


def test_they_come_together_and_the_rest_as_it_was() -> None:
    native = planned("native", "native-1-cp311-cp311-linux_x86_64.whl")
    known = planned("known", digest=EMPTY_DIGEST)
    given = [planned("a"), planned("b"), native, known, planned("large")]
    entries = [fields(one.artifact.name, file(one.artifact.filename)) for one in given]
    found, asked = run(with_small_wheels(given, "x.lock"), entries)
    assert asked == [["a", "b", "known", "large"]]
    assert [one.described for one in found] == [HELD, HELD, None, EMPTY_DIGEST, None]
    assert [one.artifact for one in found] == [one.artifact for one in given]


@pytest.mark.parametrize("names", [("a", "b"), ("a",)])
def test_what_does_not_come_so_is_left_to_its_own_fetch(names: tuple[str, ...]) -> None:
    given = [planned(name) for name in names]
    found, asked = run(with_small_wheels(given, "x.lock"), [fields(name) for name in names], lost="a")
    assert asked == [list(names)]
    assert [one.described for one in found] == [None, HELD][: len(names)]


def test_a_lock_is_not_read_for_nothing() -> None:
    given = (planned("a", "a-1-cp311-cp311-linux_x86_64.whl"), planned("b", digest=HELD))
    assert run(with_small_wheels(given, "x.lock"), []) == (given, [])
