"""What an image needs: the locked versions that its roots reach, with extras, for one target."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from packaging.markers import InvalidMarker, Marker, UndefinedComparison, UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion

from ociwheel.errors import ErrorCollector, OciwheelError, PlanError
from ociwheel.lock.sources import same_place
from ociwheel.notes import tell
from ociwheel.plan import artifacts
from ociwheel.plan.model import Locked, Request, Root
from ociwheel.remedies import Remedy
from ociwheel.requirement import parse_marker, parse_requirement, parse_tolerantly
from ociwheel.target import Target

_MAX_CHAINS = 4


@dataclass(frozen=True)
class Demand:
    """One requirement, and the way that led to it."""

    requirement: Requirement
    root: Root
    parent: Demand | None = None

    @property
    def name(self) -> str:
        """The normalized name that is asked for."""
        return str(canonicalize_name(self.requirement.name))

    @property
    def text(self) -> str:
        """The requirement without its marker."""
        extras = f"[{','.join(sorted(self.requirement.extras))}]" if self.requirement.extras else ""
        return f"{self.requirement.name}{extras}{self.requirement.specifier}"

    def chain(self) -> str:
        """Return ``A requires B requires C (root from ORIGIN)``."""
        parts = []
        step: Demand | None = self
        while step is not None:
            parts.append(step.text)
            step = step.parent
        return f"{' requires '.join(reversed(parts))} (root from {self.root.origin})"


@dataclass
class Node:
    """One chosen version, who asked for it, and what it needs."""

    locked: Locked
    demands: list[Demand] = field(default_factory=list)
    extras: set[str] = field(default_factory=lambda: {""})
    requires: set[str] = field(default_factory=set)
    required_by: set[str] = field(default_factory=set)


@lru_cache(maxsize=4096)
def _stated(text: str) -> tuple[Requirement, str | None]:
    return parse_tolerantly(text)


@lru_cache(maxsize=1024)
def _lock_marker(text: str) -> Marker:
    return parse_marker(text)


def _satisfied(specifier: SpecifierSet, version: str) -> bool:
    try:
        return specifier.contains(version, prereleases=True)
    except InvalidVersion:
        return False


def chains(demands: Iterable[Demand]) -> list[str]:
    """Return the ways that lead somewhere, each once, the shortest first."""
    found = sorted(
        dict.fromkeys(demand.chain() for demand in demands), key=lambda c: (c.count(" requires "), c)
    )
    more = len(found) - _MAX_CHAINS
    return [*found[:_MAX_CHAINS], *([f"and {more} more"] if more > 0 else [])]


class Closure:
    """Walks from the roots through the lock. One walk; see :func:`settle` for when it is repeated."""

    def __init__(self, request: Request, target: Target, asked: dict[str, list[SpecifierSet]]) -> None:
        self._request = request
        self._target = target
        self._asked = asked
        self.nodes: dict[str, Node] = {}
        self.missing: dict[str, list[Demand]] = {}
        self.faults: dict[str, OciwheelError] = {}
        self.tolerated: dict[str, None] = {}
        self._active: dict[str, tuple[Locked, ...]] = {}
        self._truth: dict[tuple[str, str], bool] = {}

    def _holds(self, marker: Marker, extra: str, where: str) -> bool:
        key = (str(marker), extra)
        if key not in self._truth:
            try:
                self._truth[key] = marker.evaluate({**self._target.markers, "extra": extra})
            except (UndefinedComparison, UndefinedEnvironmentName, InvalidVersion) as e:
                error = PlanError(f"its marker cannot be evaluated: {marker} ({e})", where=where)
                self.faults[f"marker {where} {marker}"] = error
                self._truth[key] = False
        return self._truth[key]

    def _entry_holds(self, entry: Locked) -> bool:
        if not entry.marker:
            return True
        where = f"{self._request.lockfile}: {entry.name} {entry.version}"
        try:
            marker = _lock_marker(entry.marker)
            return marker.evaluate(self._target.markers, context="lock_file")
        except (InvalidMarker, UndefinedComparison, UndefinedEnvironmentName, InvalidVersion) as e:
            error = PlanError(f"its marker cannot be evaluated: {entry.marker} ({e})", where=where)
            self.faults[f"marker {where}"] = error
            return False

    def active(self, name: str) -> tuple[Locked, ...]:
        """Return the locked versions whose marker holds on the target."""
        if name not in self._active:
            entries = self._request.entries.get(name, ())
            self._active[name] = tuple(entry for entry in entries if self._entry_holds(entry))
        return self._active[name]

    def _excluded(self, name: str) -> bool:
        versions = (entry.version for entry in self._request.entries.get(name, ()))
        return self._request.adjustments.excluded(name, versions)

    def _wanted(self, requirement: Requirement, extra: str, where: str) -> Iterator[Requirement]:
        """Yield what counts of a requirement on the target, overrides and excludes considered."""
        for one in self._request.adjustments.apply(requirement):
            marker = one.marker
            holds = not extra if marker is None else self._holds(marker, extra, where)
            if holds and not self._excluded(str(canonicalize_name(one.name))):
                yield one

    def _pick(self, demand: Demand) -> Locked | None:
        found = self.active(demand.name)
        if len(found) < 2:
            return found[0] if found else None
        wanted = [*self._asked.get(demand.name, ()), demand.requirement.specifier]

        def fitness(entry: Locked) -> tuple[int, bool]:
            agrees = sum(_satisfied(specifier, entry.version) for specifier in wanted)
            return agrees, artifacts.choose(entry, self._target, self._request.formats) is not None

        return max(found, key=fitness)  # the first, so the newest, of those that fit equally

    def _parse(self, text: str, where: str, *, own: bool = False) -> Requirement | None:
        """Return a requirement.

        :param own: it is the user's, who can correct it; a distribution's is as it was once published.
        """
        try:
            if own:
                return parse_requirement(text)
            requirement, read = _stated(text)
            if read is not None:
                self.tolerated[f"{where} requires {text!r}, which is read as {read!r}"] = None
            return requirement
        except InvalidRequirement as e:
            reason = str(e).splitlines()[0]
            self.faults[f"text {where} {text}"] = PlanError(
                f"is no requirement: {text} ({reason})", where=where
            )
            return None

    def _roots(self) -> Iterator[Demand]:
        for root in self._request.roots:
            requirement = self._parse(root.requirement, root.origin, own=True)
            if requirement is not None:
                for wanted in self._wanted(requirement, "", root.origin):
                    yield Demand(wanted, root)

    def _needs(self, node: Node, extra: str, demand: Demand) -> Iterator[Demand]:
        where = f"{node.locked.name} {node.locked.version}"
        for text in node.locked.requires_dist:
            if not extra and "extra" in text and _only_for_an_extra(text):
                continue
            requirement = self._parse(text, where)
            if requirement is not None:
                for wanted in self._wanted(requirement, extra, where):
                    yield Demand(wanted, demand.root, demand)

    def walk(self) -> None:
        """Visit every version that the roots reach."""
        queue = list(self._roots())
        for demand in queue:  # grows while it is walked
            name = demand.name
            if name not in self.nodes:
                locked = self._pick(demand)
                if locked is None:
                    self.missing.setdefault(name, []).append(demand)
                    continue
                self.nodes[name] = Node(locked)
            url, source = demand.requirement.url, self.nodes[name].locked.source
            if url and not (source and same_place(url, source)):
                self.faults[f"url {demand.chain()}"] = _url_error(demand, self.nodes[name].locked)
                continue
            node = self.nodes[name]
            first = not node.demands
            node.demands.append(demand)
            parent = demand.parent.name if demand.parent else None
            if parent and parent != name:
                node.required_by.add(parent)
                self.nodes[parent].requires.add(name)
            new = {str(canonicalize_name(extra)) for extra in demand.requirement.extras} - node.extras
            node.extras |= new
            for extra in ([""] if first else []) + sorted(new):
                queue.extend(self._needs(node, extra, demand))


def _only_for_an_extra(text: str) -> bool:
    """Tell cheaply that a requirement is for an extra alone: most of some projects' are."""
    _, semicolon, marker = text.partition(";")
    marker = marker.strip()
    return bool(semicolon) and marker.startswith("extra") and " or " not in marker and "==" in marker


def _url_error(demand: Demand, locked: Locked) -> PlanError:
    place = f"from {locked.source.url}" if locked.source else "from an index"
    return PlanError(
        f"{demand.requirement.name} is required from a URL, but is locked {place}",
        details=[f"{demand.requirement.name} @ {demand.requirement.url}", demand.chain()],
        hint=Remedy("relock"),
    )


def _fault_of(node: Node) -> OciwheelError | None:
    """Return why what was chosen cannot be used, with who requires it."""
    fault = node.locked.fault
    if fault is None:
        return None
    details = [*fault.details, *chains(node.demands)]
    return PlanError(fault.what, where=fault.where, hint=fault.remedy, details=details, errors=fault.errors)


def _missing_error(request: Request, name: str, demands: list[Demand]) -> PlanError:
    there = request.entries.get(name, ())
    details = chains(demands)
    if there:
        details += [f"{e.name} {e.version} is locked only for: {e.marker}" for e in there]
        what = f"{name} is not locked for this platform"
    else:
        what = f"{name} is not in the lock"
    roots = all(demand.parent is None for demand in demands)
    remedy = Remedy("require-and-relock" if roots else "relock")
    return PlanError(what, where=request.lockfile, details=details, hint=remedy)


def _version_error(request: Request, node: Node) -> PlanError | None:
    """Return what is wrong when somebody wants another version than the locked one."""
    version = node.locked.version
    bad = [d for d in node.demands if not _satisfied(d.requirement.specifier, version)]
    if not bad:
        return None
    good = [d for d in node.demands if d not in bad and d.requirement.specifier]
    what = f"{node.locked.name} {version} is locked, which is not what is required"
    remedy = Remedy("relock")
    if any(d.parent is None for d in bad) and any(d.parent is None for d in good):
        what = f"the requirements of this image contradict each other, {node.locked.name} {version} is locked"
        remedy = Remedy("agree-and-relock")
    details = [f"not satisfied: {line}" for line in chains(bad)]
    details += [f"satisfied: {line}" for line in chains(good)]
    return PlanError(what, where=request.lockfile, details=details, hint=remedy)


def settle(request: Request, target: Target) -> Closure:
    """Return the walk from the roots, with its faults.

    A name that is locked in several versions at once (a Pex lock of several platforms) is chosen
    again when somebody found later wants another one, until nothing changes.
    """
    asked: dict[str, list[SpecifierSet]] = {}
    for _ in range(10):
        closure = Closure(request, target, asked)
        closure.walk()
        again = False
        for name, node in closure.nodes.items():
            wanted = [demand.requirement.specifier for demand in node.demands]
            unhappy = not all(_satisfied(specifier, node.locked.version) for specifier in wanted)
            if unhappy and len(closure.active(name)) > 1 and asked.get(name) != wanted:
                asked[name] = wanted
                again = True
        if not again:
            break
    return closure


def resolve(request: Request, target: Target) -> dict[str, Node]:
    """Return the node of each version that the roots reach, by name.

    :raises PlanError: every fault of the walk, together.
    """
    closure = settle(request, target)
    errors = ErrorCollector()
    for _, fault in sorted(closure.faults.items()):
        errors.add(fault)
    for name, demands in sorted(closure.missing.items()):
        errors.add(_missing_error(request, name, demands))
    for _, node in sorted(closure.nodes.items()):
        wrong = _fault_of(node) or _version_error(request, node)
        if wrong is not None:
            errors.add(wrong)
        if node.locked.is_local or node.locked.fault:
            continue
        if artifacts.choose(node.locked, target, request.formats) is None:
            errors.add(artifacts.unfit(node.locked, target, request.formats, chains(node.demands)))
    errors.raise_if_any()
    for text in closure.tolerated:
        tell(text)
    return closure.nodes
