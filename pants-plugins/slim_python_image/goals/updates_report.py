"""What has become of locked things, as text, as JSON and as an exit code."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum
from typing import Any, Iterable, Iterator, Mapping, Sequence

SCHEMA = "slim-python-image.updates/1"
_SHORT = 19
"""Characters of a digest for people: the algorithm, and twelve digits."""


class FailOn(Enum):
    """What makes a run fail."""

    ANY = "any"
    SECURITY = "security"
    NOTHING = "nothing"


@dataclass(frozen=True)
class Report:
    """What was found out of one lock.

    :param kind: `packages` of a Debian base, `images` of a registry base, `distributions` of a lockfile.
    :param subject: the address of the base, or the path of the lockfile.
    :param rows: what changed.
    :param total: how many things were asked about.
    :param remedy: what to do about them.
    :param notes: what was not looked at.
    :param error: why nobody knows.
    """

    kind: str
    subject: str
    rows: Sequence[Mapping[str, Any]]
    total: int
    remedy: str
    notes: tuple[str, ...] = ()
    error: str | None = None

    def urgent(self) -> bool:
        """Tell whether a security update is there, or a version was taken back."""
        return any(row.get("security") or row.get("status") for row in self.rows)


def without_security(suites: Iterable[str]) -> tuple[str, ...]:
    """Return what to say of a base that locks no suite with security updates."""
    names = list(suites)
    if not names or any(name.endswith("-security") for name in names):
        return ()
    listed = ", ".join(names)
    advice = f'add "{names[0]}-security" to its `suites`'
    return (f"of {listed} alone, security updates are not looked for: {advice}",)


def exit_code(reports: Iterable[Report], fail_on: FailOn) -> int:
    """Return 0 where nothing is to be done, 1 where something is, 2 where not all could be asked."""
    every = list(reports)
    if any(one.error for one in every):
        return 2
    if fail_on is FailOn.NOTHING:
        return 0
    found = any(one.urgent() if fail_on is FailOn.SECURITY else bool(one.rows) for one in every)
    return 1 if found else 0


# --- text ---------------------------------------------------------------------------------------------

_NOUNS = {
    "packages": ("package has a newer version", "packages have newer versions"),
    "images": ("image is another now", "images are others now"),
    "distributions": ("version was taken back", "versions were taken back"),
}


def _package_line(row: Mapping[str, Any]) -> str:
    used = "in images" if row["in_image"] else "only for building"
    more = f"{used}; {', '.join(row['architectures'])}"
    if row["available"] is None:
        return f"{row['name']} {row['version']}: no suite has it any more ({more})"
    kind = "security: " if row["security"] else ""
    return f"{kind}{row['name']} {row['version']} -> {row['available']} ({row['suite']}; {more})"


def _image_line(row: Mapping[str, Any]) -> str:
    return f"{row['field']} {row['name']}: {row['locked'][:_SHORT]} -> {row['current'][:_SHORT]}"


def _distribution_line(row: Mapping[str, Any]) -> str:
    what = "yanked" if row["status"] == "yanked" else "on no index any more"
    reason = f": {row['reason']}" if row["reason"] else ""
    needed = ", ".join(row["targets"]) or "none of these targets"
    return f"{row['name']} {row['version']} is {what}{reason} (needed by {needed})"


_LINES = {"packages": _package_line, "images": _image_line, "distributions": _distribution_line}


def _report_lines(report: Report) -> Iterator[str]:
    one, several = _NOUNS[report.kind]
    count = len(report.rows)
    if report.error is not None:
        yield f"{report.subject}: could not be looked up"
        yield from (f"  {line}" for line in report.error.splitlines())
    else:
        yield f"{report.subject}: {count or 'none'} of {report.total} {one if count == 1 else several}"
    yield from (f"  {_LINES[report.kind](row)}" for row in report.rows)
    yield from (f"  note: {note}" for note in report.notes)
    if report.rows:
        yield f"  -> {report.remedy}"


def text_report(reports: Iterable[Report]) -> str:
    """Return the reports for people."""
    return "".join(f"{line}\n" for one in reports for line in _report_lines(one))


# --- JSON ---------------------------------------------------------------------------------------------


def json_report(reports: Iterable[Report]) -> str:
    """Return the reports for programs: a list for each kind."""
    document: dict[str, Any] = {"schema": SCHEMA, "packages": [], "images": [], "distributions": []}
    for one in reports:
        name = "lockfile" if one.kind == "distributions" else "base"
        document[one.kind].append(
            {
                name: one.subject,
                "asked": one.total,
                "updates": list(one.rows),
                "notes": list(one.notes),
                "error": one.error,
            }
        )
    return json.dumps(document, indent=2, sort_keys=True) + "\n"
