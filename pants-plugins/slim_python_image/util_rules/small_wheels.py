"""Small wheels that fit everywhere, brought several at a time where a lock needs no look-up to name them.

Locks of Pex, uv and PEP 751 tell files and requirements, so that nothing is looked up; what brings the files
of looked-up lines brings theirs: docs/decisions/032.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Iterable, Mapping

from slim_python_image.by_name import implicitly
from slim_python_image.util_rules.locks import LockedLine, LockEntriesRequest, read_lock
from slim_python_image.util_rules.lookups import look_up, together
from slim_python_image.util_rules.plans import PlannedArtifact

SMALL = 2 << 20
"""Bytes, as the core has it: a larger file is fetched by a step of its own."""
_ANY = "-none-any.whl"


def small_wheel(entry: Mapping[str, Any]) -> tuple[str, LockedLine] | None:
    """Return a locked version's wheel for every platform, its file's name and what to ask for.

    None where it has none, or several, or a large one, or what is looked up anyway.
    """
    if "fault" in entry or "source" in entry or entry["requires_dist"] is None:
        return None
    files = [one for one in entry["files"] if (one["filename"] or "").endswith(_ANY)]
    if len(files) != 1 or "py3" not in files[0]["filename"].split("-")[-3].split("."):
        return None
    (file,) = files
    if (file["size"] or 0) > SMALL or any(not one["filename"] for one in entry["files"]):
        return None
    return file["filename"], LockedLine(entry["name"], entry["version"], (file["sha256"],))


async def with_small_wheels(planned: Iterable[PlannedArtifact], lockfile: str) -> tuple[PlannedArtifact, ...]:
    """Return planned artifacts, those that a lock tells to be small and for every platform with their files.

    What does not come so is as it was: its own fetch brings it, or says why not.
    """
    given = tuple(planned)
    if not any(one.described is None and one.artifact.filename.endswith(_ANY) for one in given):
        return given
    lock = await read_lock(LockEntriesRequest(lockfile), **implicitly())
    lines: dict[str, dict[LockedLine, None]] = {}
    by_file: dict[tuple[str, str], LockedLine] = {}
    for entry in lock.entries:
        found = small_wheel(entry.fields)
        if found:
            filename, line = found
            lines.setdefault(line.name, {})[line] = None
            by_file[filename, line.hashes[0]] = line
    wanted = {
        one: by_file[one.artifact.filename, one.artifact.sha256]
        for one in given
        if one.described is None and (one.artifact.filename, one.artifact.sha256) in by_file
    }
    told = await look_up(together(lines, {line.name for line in wanted.values()}))
    brought = []
    for one in given:
        description = told.get(wanted[one]) if one in wanted else None
        brought.append(
            replace(one, described=description.holding(one.artifact.filename)) if description else one
        )
    return tuple(brought)
