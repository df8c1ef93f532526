"""Requirements, markers and versions of others, read by `packaging` within limits.

`packaging` is linear in a text's length, but recurses with its parentheses, and compares versions as whole
numbers, which Python refuses to make of more than 4300 digits. A text beyond the limits is no requirement.
"""

from __future__ import annotations

import re

from packaging.markers import InvalidMarker, Marker, UndefinedComparison, UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion

from ociwheel.reading import fault_of


def parse_requirement(text: str) -> Requirement:
    """Return a requirement.

    :raises InvalidRequirement: it is none; the first line of the message says why.
    """
    fault = fault_of(text)
    if fault:
        raise InvalidRequirement(fault)
    try:
        return Requirement(text)
    except RecursionError:
        raise InvalidRequirement("its marker is nested too deeply") from None


def applies(requirement: Requirement) -> bool:
    """Tell whether a requirement is one of the running Python.

    :raises InvalidRequirement: its marker compares what has no order.
    """
    try:
        return requirement.marker is None or requirement.marker.evaluate()
    except (UndefinedComparison, UndefinedEnvironmentName, InvalidVersion) as e:
        raise InvalidRequirement(f"its marker cannot be evaluated: {e}") from e


def parse_marker(text: str) -> Marker:
    """Return a marker.

    :raises InvalidMarker: it is none; the first line of the message says why.
    """
    fault = fault_of(text)
    if fault:
        raise InvalidMarker(fault)
    try:
        return Marker(text)
    except RecursionError:
        raise InvalidMarker("it is nested too deeply") from None


# `name [extras] (specifiers) ; marker`, the specifiers whatever they are. Possessive: texts are of others.
_LEGACY = re.compile(
    r"\s*+(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*+(?P<extras>\[[^\]]*+\])?\s*+"
    r"(?P<specifiers>[^;@]*+)(?P<marker>;.*+)?",
    re.DOTALL,
)
_ORDERED_WILDCARD = re.compile(r"(?P<start>(?:[<>]=?|~=)\s*+[^*]*?)\.\*")


def _clause(text: str) -> str | None:
    """Return a clause of specifiers as PEP 440 has it, None where it says nothing that PEP 440 knows."""
    for candidate in (text, _ORDERED_WILDCARD.sub(r"\g<start>", text)):
        try:
            return str(SpecifierSet(candidate))
        except InvalidSpecifier:
            continue
    return None


def parse_tolerantly(text: str) -> tuple[Requirement, str | None]:
    """Return a requirement that a distribution states, and how it was read where it is no requirement today.

    Old metadata has clauses from before PEP 440, `pytz (>dev)` and `>=2.*`, which pip took for decades and
    installers still take: a clause of no meaning is left out.

    :returns: the requirement, and its text as it was read, None where nothing had to be left out.
    :raises InvalidRequirement: it is none, whatever is left out.
    """
    try:
        return parse_requirement(text), None
    except InvalidRequirement:
        found = _LEGACY.fullmatch(text)
        if found is None or fault_of(text):
            raise
        inside = found["specifiers"].strip().removeprefix("(").removesuffix(")")
        clauses = [clause for part in inside.split(",") if (clause := _clause(part.strip()))]
        read = f"{found['name']}{found['extras'] or ''}{','.join(clauses)}{found['marker'] or ''}"
        return parse_requirement(read), read
