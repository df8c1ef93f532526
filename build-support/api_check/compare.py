"""Holds what our sources use against what one version of Pants has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from api_check.facts import Facts, signature_text
from api_check.model import CALLED, Call, Fact, Parameter, Place, Use


@dataclass(frozen=True)
class Finding:
    """One name that we use: a row of the table.

    :param there: what Pants has under the name.
    :param faults: what does not fit, with its place; none where all does.
    """

    kind: str
    name: str
    places: tuple[Place, ...]
    there: str
    faults: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Known:
    """Facts about Pants and about our own rules and classes."""

    version: str
    names: Mapping[str, Fact | None]
    unrecorded: str

    def fact(self, name: str) -> Fact | None:
        return self.names.get(name)

    def home(self, name: str) -> str:
        """Return the name under which something was defined."""
        fact = self.names.get(name)
        return name if fact is None or fact.home is None else fact.home

    def classes(self, name: str) -> set[str]:
        """Return a class and all that it inherits from, each under its home."""
        fact = self.names.get(name)
        above = () if fact is None else fact.bases
        return {self.home(name), *(self.home(one) for one in above)}


def _too_many(call: Call, parameters: tuple[Parameter, ...]) -> str | None:
    takes = [one for one in parameters if one.kind in {"positional", "both"}]
    if len(call.positional) <= len(takes) or any(one.kind == "*" for one in parameters):
        return None
    return f"{len(call.positional)} positional arguments, and it takes {len(takes)}"


def _call_faults(call: Call, parameters: tuple[Parameter, ...]) -> list[str]:
    """Return what is wrong with the call of a class or a function."""
    too_many = _too_many(call, parameters)
    faults = [] if too_many is None else [too_many]
    by_name = {one.name for one in parameters if one.kind in {"both", "keyword"}}
    if not any(one.kind == "**" for one in parameters):
        faults += [f"has no parameter `{name}`" for name in call.keywords if name not in by_name]
    if call.replaces or call.more:
        return faults
    first = [one.name for one in parameters if one.kind in {"positional", "both"}][: len(call.positional)]
    given = {*first, *call.keywords}
    return faults + [
        f"requires `{one.name}`"
        for one in parameters
        if one.required and one.kind[0] != "*" and one.name not in given
    ]


def _rule_faults(call: Call, parameters: tuple[Parameter, ...], known: _Known) -> list[str]:
    """Return what is wrong with the call of a rule: leading arguments, ``**implicitly()`` for the rest."""
    too_many = _too_many(call, parameters)
    faults = [] if too_many is None else [too_many]
    if call.keywords or call.more:
        faults.append("a rule is called with leading positional arguments and one `**implicitly()` only")
    for number, (argument, parameter) in enumerate(zip(call.positional, parameters, strict=False), 1):
        if argument is not None and parameter.type is not None:
            wanted = known.home(parameter.type)
            if wanted not in known.classes(argument):
                faults.append(f"argument {number} is {argument}, and `{parameter.name}` is {wanted}")
    left = [one.name for one in parameters[len(call.positional) :]]
    if left and not call.implicitly and not call.more:
        faults.append(f"`{'`, `'.join(left)}` not given, and no `**implicitly()`")
    return faults


def _faults(use: Use, fact: Fact | None, known: _Known) -> list[str]:
    if fact is None:
        replaced = use.otherwise is not None and (
            not use.otherwise.startswith("pants.") or known.fact(use.otherwise) is not None
        )
        return [] if replaced else [f"is not in Pants {known.version}"]
    if use.call is None or fact.kind not in CALLED:
        return []
    if fact.parameters is None:
        return [known.unrecorded]
    if fact.kind == "rule":
        return _rule_faults(use.call, fact.parameters, known)
    return _call_faults(use.call, fact.parameters)


def _finding(name: str, uses: list[Use], known: _Known) -> Finding:
    places = tuple(sorted({use.place for use in uses}))
    if name not in known.names:
        return Finding("unknown", name, places, "not recorded", (f"{places[0]}: {known.unrecorded}",))
    fact = known.names[name]
    # A name that only a guarded import binds is used where the import worked.
    guarded = {use.name for use in uses if use.otherwise is not None}
    checked = [use for use in uses if fact is not None or name not in guarded or use.otherwise is not None]
    faults = {f"{use.place}: {fault}": None for use in checked for fault in _faults(use, fact, known)}
    if fact is None:
        return Finding("missing", name, places, "nothing", tuple(faults))
    signature = "" if fact.parameters is None else f"({', '.join(signature_text(fact.parameters))})"
    return Finding(fact.kind, name, places, f"{fact.home or ''}{signature}" or "yes", tuple(faults))


def compare(
    uses: Iterable[Use], own: Mapping[str, Fact], facts: Facts, unrecorded: str = "is not recorded"
) -> list[Finding]:
    """Return each name that is used on this version of Pants, with what does not fit.

    :param own: our own rules, classes and options.
    :param unrecorded: the fault of a name, or a call, about which `facts` says nothing.
    """
    known = _Known(facts.version, {**facts.names, **own}, unrecorded)
    by_name: dict[str, list[Use]] = {}
    for use in uses:
        if use.applies(facts.minor):
            by_name.setdefault(use.name, []).append(use)
    return [_finding(name, found, known) for name, found in sorted(by_name.items())]


def breaks(findings: Iterable[Finding]) -> list[str]:
    """Return everything that does not fit, a line each: the name, and the place with what is wrong there."""
    return [f"{one.name}: {fault}" for one in findings for fault in one.faults]


def table(findings: Iterable[Finding]) -> str:
    """Return the findings as a table for a terminal; what does not fit follows its name."""
    rows = [("kind", "name", "where we use it", "what is there")]
    marks: list[tuple[str, ...]] = [()]
    for one in findings:
        more = f" and {len(one.places) - 1} more" if len(one.places) > 1 else ""
        rows.append((one.kind, one.name, f"{one.places[0] if one.places else ''}{more}", one.there))
        marks.append(one.faults)
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = []
    for row, faults in zip(rows, marks, strict=True):
        cells = [text.ljust(width) for text, width in zip(row[:3], widths, strict=True)]
        lines.append("  ".join([*cells, row[3]]).rstrip())
        lines += [f"    BREAK {fault}" for fault in faults]
    return "\n".join([*lines, ""])
