"""A lockfile's entries with all that a plan needs: what the lock leaves out, the index is asked for."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Collection, Iterable, Mapping, Sequence

from slim_python_image.by_name import implicitly
from slim_python_image.util_rules.lock_lines import LockLinesRequest, reached, read_lines
from slim_python_image.util_rules.locks import (
    Description,
    LockedLine,
    LockEntriesRequest,
    normalized,
    read_lock,
    requirement_name,
)
from slim_python_image.util_rules.lookups import look_up_each, together


@dataclass(frozen=True, order=True)
class BuiltRequires:
    """What a version requires by its built metadata, which its lock and its sdist did not say."""

    name: str
    version: str
    requires: tuple[str, ...]


@dataclass(frozen=True)
class CompleteLock:
    """A lockfile's entries with all that a plan needs, and the descriptions that told the rest."""

    entries: list[dict[str, Any]]
    descriptions: dict[tuple[str, str], Description]
    overridden: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()

    def adjustments(self) -> dict[str, list[str]]:
        """Return what the lock was told to set aside, as the core's requests have it."""
        named = {"overridden": self.overridden, "excluded": self.excluded}
        return {key: list(texts) for key, texts in named.items() if texts}


_ASKED_EXTRAS = re.compile(r"[^;@(]*?\[([^\]]*)\]")
_FOR_EXTRA = re.compile(r"\bextra\s*==\s*['\"]([^'\"]+)['\"]")


@dataclass(frozen=True)
class Demand:
    """What a requirement asks for.

    :param only_for: the extras of which one has to be asked for so that it counts; none: it always may.
    """

    name: str
    extras: frozenset[str] = frozenset()
    only_for: frozenset[str] = frozenset()

    @classmethod
    def of(cls, requirement: str) -> Demand:
        """Return what a requirement asks for, its marker looked at for extras alone."""
        asked = _ASKED_EXTRAS.match(requirement)
        marker = requirement.partition(";")[2]
        # Beside an `or` the rest may be true without the extra.
        named = () if re.search(r"\bor\b", marker) else _FOR_EXTRA.findall(marker)
        return cls(
            requirement_name(requirement),
            frozenset(normalized(one.strip()) for one in asked[1].split(",")) if asked else frozenset(),
            frozenset(map(normalized, named)),
        )


def reachable(roots: Iterable[Demand], requires: Mapping[str, Collection[Demand]]) -> frozenset[str]:
    """Return the names that ``roots`` may need, markers not looked at but for extras.

    A superset of what the plan chooses: it keeps lines of the lock that cannot matter out of the
    plan's key, and from being looked up.
    """
    asked: dict[str, frozenset[str]] = {}
    todo = list(roots)
    while todo:
        one = todo.pop()
        known = asked.get(one.name)
        if known is not None and one.extras <= known:
            continue
        extras = asked[one.name] = (known or frozenset()) | one.extras
        todo += [it for it in requires.get(one.name, ()) if not it.only_for or it.only_for & extras]
    return frozenset(asked)


_REPLACED = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*=(?!=)\s*(.*)", re.DOTALL)


def replacements(overridden: Iterable[str]) -> dict[str, frozenset[Demand]]:
    """Return what overrides put in the place of projects: others (``name=another>2``), or extras."""
    found: dict[str, frozenset[Demand]] = {}
    for text in overridden:
        replaced = _REPLACED.fullmatch(text)
        demand = Demand.of(replaced[2] if replaced else text)
        name = normalized(replaced[1]) if replaced else demand.name
        found[name] = found.get(name, frozenset()) | {demand}
    return found


def _incomplete(entry: dict[str, Any]) -> bool:
    """Whether a lock leaves something out that the plan needs, and an index would know."""
    if "fault" in entry or entry.get("source", {}).get("kind") in ("git", "path"):
        return False
    return entry["requires_dist"] is None or any(not f["filename"] for f in entry["files"])


def _complete(entry: dict[str, Any], description: Description) -> dict[str, Any]:
    """Return a lock entry with what its description adds."""
    if description.fault is not None:
        return {**entry, "files": [], "requires_dist": [], "fault": json.loads(description.fault)}
    told = json.loads(description.document)
    return {
        **entry,
        "requires_dist": told["requires_dist"],
        "requires_python": entry.get("requires_python") or told.get("requires_python"),
        "files": told["files"],
    }


def _key(entry: Mapping[str, Any]) -> tuple[str, str]:
    return entry["name"], entry["version"]


def _without_lines(entry: dict[str, Any], path: str) -> dict[str, Any]:
    """Return an entry that does not change when a line is added above it."""
    return {**entry, "where": path}


def requires_of(
    entries: Iterable[Mapping[str, Any]], overridden: Iterable[str]
) -> dict[str, frozenset[Demand]]:
    """Return what each name of a lock requires, as far as its entries tell."""
    requires = replacements(overridden)
    for entry in entries:
        demands = frozenset(Demand.of(text) for text in entry["requires_dist"] or ())
        requires[entry["name"]] = requires.get(entry["name"], frozenset()) | demands
    return requires


def with_built(entries: Sequence[dict[str, Any]], built: Iterable[BuiltRequires]) -> list[dict[str, Any]]:
    """Return entries that have of some versions what their built metadata requires, where it is locked."""
    known = {(one.name, one.version): one.requires for one in built}
    locked = {entry["name"] for entry in entries}

    def completed(entry: dict[str, Any]) -> dict[str, Any]:
        requires = known.get((entry["name"], entry["version"]))
        if requires is None:
            return entry
        return {**entry, "requires_dist": [text for text in requires if requirement_name(text) in locked]}

    return [completed(entry) for entry in entries]


def incomplete_lines(entries: Iterable[dict[str, Any]]) -> dict[str, dict[LockedLine, None]]:
    """Return the lines that a lock does not tell enough of, by name, each once."""
    lines: dict[str, dict[LockedLine, None]] = {}
    for entry in entries:
        if _incomplete(entry):
            hashes = tuple(sorted(f["sha256"] for f in entry["files"]))
            line = LockedLine(entry["name"], entry["version"], hashes, entry.get("source", {}).get("url"))
            lines.setdefault(line.name, {})[line] = None
    return lines


async def _likely(roots: frozenset[str], lockfile: str) -> frozenset[str] | None:
    """Return the names that a lock says roots need, in whatever way; ``None`` where it does not say.

    Comments may be wrong: they decide what is looked up at once, not what is needed.
    """
    lines = (await read_lines(LockLinesRequest(lockfile), **implicitly())).lines
    return frozenset(reached(roots, lines)) if lines else None


async def complete_lock(
    lockfile: str, roots: Iterable[str] | None = None, built: Iterable[BuiltRequires] = ()
) -> CompleteLock:
    """Read a lockfile and ask the index for what it leaves out.

    :param roots: requirements; without any, all entries of the lock are completed.
    :param built: what is known of versions that were built since.
    :returns: the entries that ``roots`` may need.
    """
    lock = await read_lock(LockEntriesRequest(lockfile), **implicitly())
    stated = [entry.fields for entry in lock.entries]
    everything = frozenset(entry["name"] for entry in stated)
    wanted = map(Demand, everything) if roots is None else map(Demand.of, roots)
    demands = frozenset(wanted)
    names = await _likely(frozenset(one.name for one in demands), lockfile) or everything
    told: dict[tuple[str, str], Description] = {}
    incomplete = incomplete_lines(stated)
    while True:
        chunks = together(incomplete, names)
        told.update(await look_up_each([some for some in chunks if not all(one.key in told for one in some)]))
        entries = [_complete(e, told[_key(e)]) if _key(e) in told else e for e in stated]
        entries = with_built(entries, built)
        needed = reachable(demands, requires_of(entries, lock.overridden))
        if needed <= names:
            break
        names |= needed
    return CompleteLock(
        [_without_lines(e, lockfile) for e in entries if e["name"] in needed],
        told,
        lock.overridden,
        lock.excluded,
    )
