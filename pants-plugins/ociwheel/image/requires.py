"""Whether the distributions of an image have what they require: their own metadata, once all are built.

A plan may not know it: the requirements of an sdist that only its build can tell are taken as none there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from packaging.markers import UndefinedComparison, UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from ociwheel.errors import ErrorCollector, ImageError
from ociwheel.remedies import Remedy


def check_requires(
    requires: Mapping[str, Sequence[str]], markers: Mapping[str, str], errors: ErrorCollector
) -> None:
    """Check that every distribution has those that it requires; versions are the lock's matter.

    What is required for an extra only is not looked for, and what no longer is a requirement (``pytz>dev``)
    is passed over, as by every installer.

    :param requires: ``Requires-Dist`` of each distribution by origin (``name version``), empty ones included.
    :param markers: the target's.
    :param errors: is told what is missing, by distribution.
    """
    there = {canonicalize_name(origin.partition(" ")[0]) for origin in requires}
    for origin, texts in sorted(requires.items()):
        missing = sorted({name for text in texts if (name := _required(text, markers)) and name not in there})
        if missing:
            names = ", ".join(missing)
            errors.add(
                ImageError(
                    f"{origin} requires {names}, which the image does not have: its metadata said so only "
                    "once it was built",
                    hint=Remedy("add-requirements", {"names": names, "name": origin.partition(" ")[0]}),
                )
            )


def _required(text: str, markers: Mapping[str, str]) -> str | None:
    """Return the name of a distribution that is required on the target without any extra."""
    try:
        requirement = Requirement(text)
        if requirement.marker and not requirement.marker.evaluate({**markers, "extra": ""}):
            return None
    except (InvalidRequirement, UndefinedComparison, UndefinedEnvironmentName):
        return None
    return canonicalize_name(requirement.name)
