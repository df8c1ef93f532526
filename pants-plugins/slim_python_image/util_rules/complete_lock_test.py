"""Which lines of a lock are looked up: those that roots may need, at once where the lock says so."""

from __future__ import annotations

import json
from typing import Any, Collection, Coroutine, Iterable, Iterator, Mapping

import pytest
from pants.engine.fs import EMPTY_DIGEST

from slim_python_image.util_rules.complete_lock import (
    BuiltRequires,
    CompleteLock,
    complete_lock,
    incomplete_lines,
)
from slim_python_image.util_rules.lock_lines import LockLinesRequest, parse_lines
from slim_python_image.util_rules.locks import (
    DescribeRequest,
    Description,
    Descriptions,
    LockedLine,
    LockEntries,
    LockEntriesRequest,
    LockEntry,
)

LOCK = "3rdparty/python/default.lock"
REQUIRES = {
    "app-server": ["click>=8", "h11", "pytest; extra == 'test'"],
    "click": [],
    "h11": [],
    "pytest": ["pluggy"],
    "pluggy": [],
    "plugin": [],
}
VIA = {
    "app-server": "-r requirements.txt",
    "click": "app-server",
    "h11": "app-server",
    "pytest": "-r requirements.txt",
    "pluggy": "pytest",
    "plugin": "-r requirements.txt",
}


def entry(name: str) -> LockEntry:
    files = [{"sha256": "0" * 64, "filename": None}]
    fields = {"name": name, "version": "1", "files": files, "requires_dist": None, "where": f"{LOCK}:1"}
    return LockEntry(name, "1", json.dumps(fields))


def lock_text(via: Mapping[str, str | None]) -> str:
    lines = []
    for name, by in via.items():
        lines += [f"{name}==1 \\", f"    --hash=sha256:{'0' * 64}"]
        lines += [] if by is None else [f"    # via {by}"]
    return "\n".join(lines) + "\n"


@pytest.fixture(autouse=True)
def pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut chunks of two names, in the order of the lock."""

    def cut(names: Iterable[str]) -> list[tuple[str, ...]]:
        rest = list(names)
        return [tuple(rest[start : start + 2]) for start in range(0, len(rest), 2)]

    monkeypatch.setattr("slim_python_image.util_rules.lookups.chunks_of_names", cut)


FAULT = json.dumps({"what": "gone"})


def run(
    coroutine: Coroutine[Any, Any, CompleteLock],
    text: str,
    requires: Mapping[str, list[str]] = REQUIRES,
    gone: Collection[str] = (),
) -> tuple[CompleteLock, list[list[str]]]:
    """Run it; return its answer, and the names that were looked up, those of one time together.

    :param gone: names that no index has.
    """
    waves: list[list[str]] = []

    def answer(get: Any) -> Any:
        request = get.inputs[0]
        if isinstance(request, LockEntriesRequest):
            return LockEntries(LOCK, tuple(entry(name) for name in requires))
        if isinstance(request, LockLinesRequest):
            return parse_lines(text.encode())
        assert isinstance(request, DescribeRequest)
        return Descriptions(tuple(look_up(line, len(request.lines)) for line in request.lines))

    def look_up(line: LockedLine, count: int) -> Description | None:
        waves[-1].append(line.name)
        if line.name in gone:
            return None if count > 1 else Description("{}", EMPTY_DIGEST, FAULT)
        files = [{"sha256": "0" * 64, "filename": f"{line.name}-1.tar.gz"}]
        return Description(json.dumps({"requires_dist": requires[line.name], "files": files}), EMPTY_DIGEST)

    value: Any = None
    while True:
        try:
            got = coroutine.send(value)
        except StopIteration as e:
            return e.value, [wave for wave in waves if wave]
        waves.append([])
        value = tuple(map(answer, got)) if isinstance(got, (list, tuple)) else answer(got)


def names(lock: CompleteLock) -> Iterator[str]:
    return (one["name"] for one in lock.entries)


def test_what_no_root_needs_is_not_looked_up() -> None:
    found, waves = run(complete_lock(LOCK, ["App_Server[fast]>=1"]), lock_text(VIA))
    assert waves == [["app-server", "click", "h11"]]
    assert list(names(found)) == ["app-server", "click", "h11"]
    assert all(one["files"][0]["filename"] and one["where"] == LOCK for one in found.entries)


@pytest.mark.parametrize(
    ("via", "waves"),
    [
        # A comment that names too little: what it leaves out is looked up when it is known.
        ({**VIA, "h11": "pytest"}, [["app-server", "click"], ["h11"]]),
        # One that names too much costs a look-up; the plan does not get it.
        ({**VIA, "plugin": "app-server"}, [["app-server", "click", "h11", "plugin"]]),
        # A line that does not say.
        ({**VIA, "plugin": None}, [["app-server", "click", "h11", "plugin"]]),
        # Nothing is known of who requires whom: all at once.
        (dict.fromkeys(VIA), [list(VIA)]),
    ],
)
def test_comments_decide_what_is_asked_at_once_and_not_what_is_needed(
    via: Mapping[str, str | None], waves: list[list[str]]
) -> None:
    found, asked = run(complete_lock(LOCK, ["app-server"]), lock_text(via))
    assert asked == waves
    assert list(names(found)) == ["app-server", "click", "h11"]


def test_a_lock_whose_lines_are_not_read_is_looked_up_at_once() -> None:
    found, asked = run(complete_lock(LOCK, ["app-server"]), "[[packages]]\n")
    assert asked == [list(REQUIRES)]
    assert list(names(found)) == ["app-server", "click", "h11"]


def test_what_only_a_build_told_is_looked_up_too() -> None:
    built = [BuiltRequires("h11", "1", ("plugin>=1", "not-locked"))]
    found, asked = run(complete_lock(LOCK, ["app-server"], built), lock_text(VIA))
    assert asked == [["app-server", "click", "h11"], ["plugin"]]
    assert list(names(found)) == ["app-server", "click", "h11", "plugin"]
    assert [one["requires_dist"] for one in found.entries if one["name"] == "h11"] == [["plugin>=1"]]


def test_without_roots_everything_is_looked_up() -> None:
    found, asked = run(complete_lock(LOCK), lock_text(VIA))
    assert asked == [list(REQUIRES)]
    assert list(names(found)) == list(REQUIRES)


def test_what_a_chunk_cannot_tell_is_asked_by_itself_and_what_nobody_has_is_a_fault_of_its_own() -> None:
    found, waves = run(complete_lock(LOCK, ["app-server"]), lock_text(VIA), gone=["click"])
    assert waves == [["app-server", "click", "h11"], ["click"]]
    assert {one["name"]: one.get("fault") for one in found.entries} == {
        "app-server": None,
        "click": {"what": "gone"},
        "h11": None,
    }


def test_what_a_lock_tells_whole_is_not_looked_up_and_a_line_that_is_there_twice_is_once() -> None:
    whole = {**entry("h11").fields, "files": [{"sha256": "0" * 64, "filename": "x.whl"}], "requires_dist": []}
    other = {**entry("click").fields, "version": "2"}
    found = incomplete_lines(
        [entry("click").fields, whole, other, entry("plugin").fields, entry("plugin").fields]
    )
    assert [line.key for lines in found.values() for line in lines] == [
        ("click", "1"),
        ("click", "2"),
        ("plugin", "1"),
    ]
