"""Requirements, markers and versions of others, read by `packaging` within limits.

`packaging` is linear in a text's length, but recurses with its parentheses, and compares versions as whole
numbers, which Python refuses to make of more than 4300 digits. A text beyond the limits is no requirement.
"""

from __future__ import annotations

from packaging.markers import InvalidMarker, Marker
from packaging.requirements import InvalidRequirement, Requirement

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
