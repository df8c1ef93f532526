"""The page of what was found: docs/reference/debian-fidelity.md."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from bench.debian_sets.compare import RULES
from bench.debian_sets.sets import SETS

_HEAD = """\
# Bases beside what apt installs

`bench/debian_fidelity` locks sets of Debian packages ({suite}), makes the layers of a base of each for
linux/amd64, lets `mmdebstrap` install the same versions without recommended packages, and compares both,
file by file: kind, mode, owner, content, where links lead. Every difference belongs to a rule, or is
listed. Then the main program of each set does its work in the image's own root, without a network.

Made by the command `bench/debian_fidelity` on {date}. [What maintainer scripts would do](debian-scripts.md)
has the rules about scripts; a sample runs in CI.

## Files
"""


def page(found: Mapping[str, Any]) -> str:
    """Return the page.

    :param found: what the command found, as its JSON has it.
    """
    sets: Mapping[str, Mapping[str, Any]] = found["sets"]
    lines = [_HEAD.format(suite=found["suite"], date=found["date"]), *_files(sets), *_programs(sets)]
    lines += ["", "## Versions", ""]
    for name, one in sets.items():
        lines += [f"{name}: {', '.join(one['packages'])}.", ""]
    return "\n".join(lines).rstrip() + "\n"


def _row(cells: Iterable[object]) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def _files(sets: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    rules = sorted({rule for one in sets.values() for rule in one["by_rule"]})
    yield _row(["set", "packages", "files", "equal", *rules, "by no rule"])
    yield _row(["---", *["---:"] * (len(rules) + 4)])
    for name, one in sets.items():
        counts = [one["by_rule"].get(rule, 0) for rule in rules]
        yield _row([name, len(one["packages"]), one["files"], one["equal"], *counts, len(one["findings"])])
    yield from ("", _row(["rule", "what differs"]), _row(["---", "---"]))
    yield from (_row([rule, RULES[rule]]) for rule in rules)
    for name, one in sets.items():
        if one["findings"]:
            yield from ("", f"Of {name}, by no rule:", "", *(f"- `{line}`" for line in one["findings"]))


def _programs(sets: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    yield from ("", "## Programs", "", _row(["set", "what its main program does", "", "notes of its layers"]))
    yield _row(["---", "---", "---", "---"])
    for name, one in sets.items():
        notes = "; ".join(note.partition("; add what")[0] for note in one["notes"])
        yield _row([name, SETS[name].does, one["fault"] or "done", notes])
