"""What a person reads of an audit: faults by library, notes by distribution."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from ociwheel.elf.audit import Fault
from ociwheel.elf.by_name import Libraries, known
from ociwheel.elf.debian_libraries import LibraryTable
from ociwheel.elf.reached import Opened
from ociwheel.elf.tree import ImageTree

_WHY: Mapping[str, str] = {
    "unreached": ", which no module, program or library opened by name needs",
    "optional": ", which the distribution does without",
    "driver": " without the machine's driver",
    "elsewhere": " unless another distribution has loaded its libraries before",
}
_SHOWN = 8


def detail_lines(faults: Iterable[Fault]) -> list[str]:
    """Return a line for each missing library, with how many files of which distribution need it."""
    groups: dict[tuple[str, str], list[Fault]] = {}
    for fault in faults:
        start = f"needs {fault.library}, "
        why = fault.text.removeprefix(start) if fault.text.startswith(start) else fault.render()
        groups.setdefault((fault.library, why), []).append(fault)
    lines = []
    for (library, why), group in groups.items():
        if len(group) == 1:
            lines.append(group[0].render())
            continue
        counts = Counter(fault.origin or "unnamed origin" for fault in group)
        needing = ", ".join(f"{_files(n)} of {origin}" for origin, n in sorted(counts.items()))
        lines.append(f"{library}, {why}: needed by {needing}, first /{group[0].path}")
    return lines


def note_lines(faults: Iterable[Fault]) -> list[str]:
    """Return one line for each distribution and reason."""
    groups: dict[tuple[str, str], list[Fault]] = {}
    for fault in faults:
        groups.setdefault((fault.origin or "unnamed origin", fault.weight), []).append(fault)
    lines = []
    for (origin, weight), group in sorted(groups.items()):
        names = sorted({fault.library for fault in group if fault.library})
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        lacking = f": {', '.join(names[:_SHOWN])}{more}" if names else ""
        count = len({fault.path for fault in group})
        lines.append(f"{origin}: {_files(count)} not loadable{_WHY[weight]}{lacking}")
    return lines


def opened_lines(opened: Opened, tree: ImageTree, libraries: LibraryTable) -> list[str]:
    """Return what Python code opens by name, and the image lacks.

    A call that tries several names is satisfied by one. Of names that no Debian package is known for (those
    of other operating systems) nothing is said, and of those that are errors the audit has said it.
    """
    there = Libraries(tree)
    missing: dict[str, dict[str, str]] = {}
    for origin, calls in sorted(opened.system.items()):
        told = {call.names for call in opened.at_import if call.origin == origin}
        for call in calls:
            package = None if call in told or there.has_one(call) else known(call, libraries)
            if package:
                missing.setdefault(origin, {}).setdefault(*package)
    lines = []
    for origin, names in missing.items():
        listed = ", ".join(f"{name} ({libraries.said(package)})" for name, package in names.items())
        lines.append(f"{origin}: its code opens libraries that are not in the image: {listed}")
    return lines


def _files(count: int) -> str:
    return f"{count} file{'s' * (count != 1)}"
