"""The page of what was found: docs/reference/fidelity.md."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from bench.installed.compare import RULES
from bench.installed.imports import Imported
from bench.installed.loads import OUTCOMES
from bench.installed.sets import SETS

_HEAD = """\
# Images beside what an installer makes of the same lock

`bench/fidelity` locks the newest versions that work together, installs each lock with `uv pip install` into a
virtual environment of the same Python, packages it as an image of this repository's Debian base for
linux/amd64, and compares both, file by file: names, contents, whether they can be executed. Every difference
belongs to a rule, or is listed. Then, in the image's own root and without a network, it imports every
top-level module of every distribution, and has the loader load every extension module, program and library
that Python code names, each in a process of its own; both are held against the [audit](audit.md).

Made by the command `bench/fidelity` on {date}; a sample of 20 distributions runs in CI
(`tests/integration/fidelity_test.py`). [What is left out](left-out.md) has the rules about content.
"""
_LONGEST = 200
_OPENS = "its code opens libraries that are not in the image: "
_STEM = re.compile(r"([\w.+-]+?)(?:\.so[\d.]*)? \(Debian's")
_EARLY = re.compile(r"opens (\S+) when it is imported")
_KINDS = {
    "imported": "imported",
    "named": "lack a library that the audit refused",
    "noted": "lack a library that a note names",
    "unnamed": "lack a library that nothing names",
    "otherwise": "fail otherwise",
}


def page(found: Mapping[str, Any]) -> str:
    """Return the page.

    :param found: what the command found, as its JSON has it.
    """
    sets: Mapping[str, Mapping[str, Any]] = found["sets"]
    dates = " and ".join(sorted({one["date"] for one in sets.values()}))
    lines = [_HEAD.format(date=dates)]
    lines += [*_sets(sets), "", *_files(sets), *_loads(sets), "", *_imports(sets), "", "## Versions", ""]
    for name, one in sets.items():
        lines += [f"{name}: {', '.join(one['distributions'])}.", ""]
    return "\n".join(lines).rstrip() + "\n"


def _row(cells: Iterable[object]) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def _sets(sets: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    yield from (_row(["set", "what"]), _row(["---", "---"]))
    yield from (_row([name, SETS[name].about]) for name in sets)


def _files(sets: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    rules = sorted({rule for one in sets.values() for rule in one["by_rule"]})
    yield from ("## Files", "")
    yield _row(["set", "distributions", "files", "equal", *(f"`{rule}`" for rule in rules), "by no rule"])
    yield _row(["---", *["---:"] * (len(rules) + 4)])
    for name, one in _compared(sets):
        counts = [one["by_rule"].get(rule, 0) for rule in rules]
        total = len(one["distributions"])
        yield _row([name, total, one["files"], one["equal"], *counts, len(one["findings"])])
    yield from ("", _row(["rule", "what differs"]), _row(["---", "---"]))
    yield from (_row([f"`{rule}`", RULES[rule]]) for rule in rules)
    yield ""
    left = [name for name in sets if name not in dict(_compared(sets))]
    if left:
        yield from (f"Not compared, for their size: {', '.join(left)}.", "")
    for name, one in sets.items():
        if one["findings"]:
            yield from (f"By no rule, in {name}:", "", *(f"- `{finding}`" for finding in one["findings"]), "")


def _compared(sets: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield from ((name, one) for name, one in sets.items() if one["compared"])


def _loads(sets: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Yield the loader's word beside the audit's; what the two disagree about is listed."""
    yield from ("## Loads", "")
    yield (
        "Files that Python can import or opens by name, and programs, with all that each needs. The audit is "
        "wrong about what it refuses and the loader loads, and about what it does not name and the loader "
        "does not find."
    )
    yield from ("", _row(["set", *OUTCOMES]), _row(["---", *["---:"] * len(OUTCOMES)]))
    left = [name for name, one in sets.items() if not one["loads"]]
    sets = {name: one for name, one in sets.items() if one["loads"]}
    for name, one in sets.items():
        yield _row([name, *(one["loads"].get(kind, 0) for kind in OUTCOMES)])
    if left:
        yield from ("", f"Not loaded yet: {', '.join(left)}.")
    for name, one in sets.items():
        for kind in ("refused, loaded", "not refused, not loaded", "fails otherwise"):
            rows = [row for row in one["not_loaded"] if row["kind"] == kind]
            if rows:
                yield from ("", f"Of {name}, {kind}:", "")
                yield from (f"- `/{row['path']}`: {_brief(row['said'])}" for row in rows)
    for name, one in sets.items():
        if one["refused"]:
            yield from ("", f"What the audit says of {name}:", "", "```", *one["refused"], "```")


def _brief(text: str) -> str:
    line = text.strip().splitlines()[0] if text.strip() else ""
    return f"{line[:_LONGEST]}..." if len(line) > _LONGEST else line


def _imports(sets: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    yield from ("## Imports", "")
    left = [name for name, one in sets.items() if not one["imports"]]
    if left:
        yield from (f"Not imported yet: {', '.join(left)}.", "")
    sets = {name: one for name, one in sets.items() if one["imports"]}
    yield _row(["set", "modules", *_KINDS.values()])
    yield _row(["---", *["---:"] * (len(_KINDS) + 1)])
    for name, one in sets.items():
        counts = Counter(row["kind"] for row in one["imports"])
        yield _row([name, len(one["imports"]), *(counts[kind] for kind in _KINDS)])
    for name, one in sets.items():
        for kind in ("named", "noted", "unnamed"):
            rows = [row for row in one["imports"] if row["kind"] == kind]
            if rows:
                yield from ("", f"Of {name}, {_KINDS[kind]}: {_listed(rows)}.")
        rows = [row for row in one["imports"] if row["kind"] == "otherwise"]
        if rows:
            yield from (
                "",
                f"Of {name}, fail otherwise; in the virtual environment too unless marked `*`:",
                "",
            )
            yield from (_failed(row) for row in rows)


def _failed(row: Mapping[str, Any]) -> str:
    return f"- `{row['module']}` of {row['distribution']}: {row['error']}{'' if row.get('venv') else ' `*`'}"


def _listed(rows: Sequence[Mapping[str, Any]]) -> str:
    pairs: dict[str, set[str]] = {}
    for row in rows:
        pairs.setdefault(row["distribution"], set()).add(row["library"])
    return "; ".join(f"{name} ({', '.join(sorted(libraries))})" for name, libraries in sorted(pairs.items()))


def kinds(imported: Iterable[Imported], refused: str, notes: Iterable[str]) -> list[dict[str, Any]]:
    """Return what came of each module, held against what the audit said.

    :param refused: its error, empty where it refused nothing.
    :param notes: of the image's report.
    """
    early = [stem.partition(".so")[0] for stem in _EARLY.findall(refused)]
    named = [stem for note in notes if _OPENS in note for stem in _STEM.findall(note.partition(_OPENS)[2])]
    rows: list[dict[str, Any]] = []
    for one in imported:
        library = one.library
        kind = "imported" if not one.error else "otherwise"
        if library:
            kind = "named" if library in refused else "unnamed"
        opened = next((stem for stem in early if stem in one.error), None)
        if opened and one.error:
            kind, library = "named", library or opened
        noted = next((stem for stem in named if stem in one.error), None)
        if noted and kind in ("unnamed", "otherwise"):
            kind, library = "noted", library or noted
        fields = {"distribution": one.distribution, "module": one.module, "error": one.error}
        rows.append({**fields, "kind": kind, "library": library})
    return rows
