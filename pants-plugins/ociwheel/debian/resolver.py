"""The closure of packages over ``Depends`` and ``Pre-Depends``.

Not a full SAT solver: apt's own choice in all but contrived cases is "keep what is chosen, else the
first alternative in its highest version", and that is deterministic and easy to explain. Where it
fails because two suites are out of step, the version that cannot be installed is set aside and
the closure starts again.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ociwheel.debian.relations import Alternatives, Relation, parse_relations
from ociwheel.errors import BaseError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ociwheel.debian.packages import Candidate, Universe

_MAX_ATTEMPTS = 500


@dataclass(frozen=True)
class _Need:
    """A group of alternatives and the package that asked for it (None: the request)."""

    group: Alternatives
    requirer: Candidate | None

    def __str__(self) -> str:
        return " | ".join(str(relation) for relation in self.group)


@dataclass(frozen=True)
class _Fault:
    """Why a need cannot be met."""

    need: _Need
    text: str


@dataclass
class _Attempt:
    """One walk over the dependencies with some versions set aside."""

    universe: Universe
    excluded: frozenset[str]
    banned: set[tuple[str, str]]
    chosen: dict[str, Candidate] = field(default_factory=dict)
    parents: dict[str, Candidate | None] = field(default_factory=dict)
    faults: list[_Fault] = field(default_factory=list)
    retry: bool = False

    def walk(self, roots: Sequence[Alternatives]) -> None:
        queue = [_Need(group, None) for group in roots]
        position = 0
        while position < len(queue):
            picked = self._satisfy(queue[position])
            if picked is not None:
                queue += [_Need(group, picked) for group in picked.dependencies]
            position += 1

    def _satisfy(self, need: _Need) -> Candidate | None:
        """Choose a package for ``need``; None when there is nothing more to do."""
        architecture = self.universe.architecture
        group = [relation for relation in need.group if relation.holds_on(architecture)]
        if not group or any(c.satisfies(r) for r in group for c in self._chosen_for(r)):
            return None
        for relation in group:
            if need.requirer is not None and self._is_excluded(relation):
                return None
            found = [c for c in self.universe.satisfying(relation) if (c.name, c.version) not in self.banned]
            if found and found[0].name in self.chosen:  # in another version than this group accepts
                self._set_aside(self.chosen[found[0].name])
                return None
            if found:
                self.chosen[found[0].name] = found[0]
                self.parents[found[0].name] = need.requirer
                return found[0]
        self._unsatisfiable(need)
        return None

    def _chosen_for(self, relation: Relation) -> list[Candidate]:
        named = self.chosen.get(relation.name)
        providers = (self.chosen.get(c.name) for c in self.universe.providers(relation.name))
        return [c for c in (named, *providers) if c is not None]

    def _is_excluded(self, relation: Relation) -> bool:
        """Whether the relation, or the only way to satisfy it, was excluded by the request."""
        if relation.name in self.excluded:
            return True
        if self.universe.named(relation.name):
            return False
        return any(c.name in self.excluded for c in self.universe.satisfying(relation))

    def _set_aside(self, candidate: Candidate) -> None:
        self.banned.add((candidate.name, candidate.version))
        self.retry = True

    def _unsatisfiable(self, need: _Need) -> None:
        requirer = need.requirer
        if requirer is not None:
            others = [c for c in self.universe.named(requirer.name) if (c.name, c.version) not in self.banned]
            if len(others) > 1:
                self._set_aside(requirer)
                return
        self.faults.append(_Fault(need, self._reason(need)))

    def _reason(self, need: _Need) -> str:
        found = []
        for relation in need.group:
            versions = [c.version for c in self.universe.named(relation.name)]
            if versions:
                found.append(f"{relation.name} is there as {', '.join(versions)}")
            elif self.universe.exists(relation.name):
                found.append(f"{relation.name} is only provided by others, in no fitting version")
            else:
                found.append(f"no suite has {relation.name}")
        return f"{need}: {'; '.join(found)}{self._chain(need.requirer)}"

    def _chain(self, requirer: Candidate | None) -> str:
        """Return who asked for it, up to the request."""
        if requirer is None:
            return ""
        names = []
        current: Candidate | None = requirer
        while current is not None:
            names.append(f"{current.name} {current.version}")
            current = self.parents.get(current.name)
        return f" (required by {', by '.join(names)})"

    def conflicts(self) -> list[str]:
        """Return each pair of chosen packages of which one rules the other out."""
        result = []
        for one in self.chosen.values():
            for field_name, verb in (("Conflicts", "conflicts with"), ("Breaks", "breaks")):
                for group in one.relations(field_name):
                    result += [
                        f"{one.name} {one.version} {verb} {group[0]}, and {other.name} {other.version} "
                        f"is chosen{self._chain(self.parents.get(other.name))}"
                        for other in self._chosen_for(group[0])
                        if other is not one and other.satisfies(group[0])
                    ]
        return result


def resolve(
    universe: Universe, packages: Iterable[str], excluded: Iterable[str], where: str
) -> tuple[Candidate, ...]:
    """Return the closure of ``packages``, sorted by name.

    :param packages: relations as in ``Depends``: a name, or ``name (>= 2)``, or ``a | b``.
    :param excluded: names left out of the closure with all that only they need; a name that is
        in ``packages`` as well stays, because what is asked for is chosen first.
    :param where: what an error says it was about.
    :raises BaseError: with everything that is not satisfiable or in conflict, and who required it.
    """
    roots = [group for text in packages for group in parse_relations(text, where)]
    banned: set[tuple[str, str]] = set()
    for _ in range(_MAX_ATTEMPTS):
        attempt = _Attempt(universe, frozenset(excluded), banned)
        attempt.walk(roots)
        if not attempt.retry:
            break
    faults = [fault.text for fault in attempt.faults] or attempt.conflicts()
    if faults or attempt.retry:
        raise _error(universe, attempt, sorted(set(faults)), where)
    return tuple(sorted(attempt.chosen.values(), key=lambda c: c.name))


def _error(universe: Universe, attempt: _Attempt, faults: Sequence[str], where: str) -> BaseError:
    unknown = [
        relation.name
        for fault in attempt.faults
        if fault.need.requirer is None
        for relation in fault.need.group
        if not universe.exists(relation.name)
    ]
    hints = [
        f"{name}: did you mean {', '.join(near)}?" for name in unknown if (near := _near(universe, name))
    ]
    return BaseError(
        f"these packages cannot be installed together on {universe.architecture}:",
        where=where,
        details=faults,
        hint=" ".join(hints)
        or "change packages, extra_packages, builder_packages, excluded_packages or suites",
    )


def _near(universe: Universe, name: str) -> list[str]:
    """Return up to three existing names like ``name``."""
    like = [n for n in universe.names() if n[:3] == name[:3] and abs(len(n) - len(name)) < 4]
    return difflib.get_close_matches(name, sorted(like), n=3, cutoff=0.75)
