"""The page of what was found: docs/reference/fidelity.md."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from bench.installed.compare import RULES
from bench.installed.imports import Imported

_HEAD = """\
# Images beside what an installer makes of the same lock

`bench/fidelity` locks the newest versions that work together, installs each lock with `uv pip install` into a
virtual environment of the same Python, packages it as an image of this repository's Debian base for
linux/amd64, and compares both, file by file: names, contents, whether they can be executed. Every difference
belongs to a rule, or is listed. Then it imports every top-level module of every distribution in the image's
own root, without a network, and holds the outcome against the [audit](audit.md).

Made by the command `bench/fidelity` on {date}; a sample of 20 distributions runs in CI
(`tests/integration/fidelity_test.py`). [What is left out](left-out.md) has the rules about content.
"""
_KINDS = {
    "imported": "imported",
    "named": "lack a library that the audit refused",
    "unnamed": "lack a library that it did not",
    "otherwise": "fail otherwise",
}


def page(found: Mapping[str, Any]) -> str:
    """Return the page.

    :param found: what the command found, as its JSON has it.
    """
    sets: Mapping[str, Mapping[str, Any]] = found["sets"]
    lines = [_HEAD.format(date=found["date"]), *_files(sets), *_imports(sets), "", "## Versions", ""]
    for name, one in sets.items():
        lines += [f"{name}: {', '.join(one['distributions'])}.", ""]
    return "\n".join(lines).rstrip() + "\n"


def _row(cells: Iterable[object]) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def _files(sets: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    rules = sorted({rule for one in sets.values() for rule in one["by_rule"]})
    yield from ("## Files", "")
    yield _row(["set", "distributions", "files", "equal", *(f"`{rule}`" for rule in rules), "by no rule"])
    yield _row(["---", *["---:"] * (len(rules) + 4)])
    for name, one in sets.items():
        counts = [one["by_rule"].get(rule, 0) for rule in rules]
        total = len(one["distributions"])
        yield _row([name, total, one["files"], one["equal"], *counts, len(one["findings"])])
    yield from ("", _row(["rule", "what differs"]), _row(["---", "---"]))
    yield from (_row([f"`{rule}`", RULES[rule]]) for rule in rules)
    yield ""
    for name, one in sets.items():
        if one["findings"]:
            yield from (f"By no rule, in {name}:", "", *(f"- `{finding}`" for finding in one["findings"]), "")


def _imports(sets: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    yield from ("## Imports", "", _row(["set", "modules", *_KINDS.values()]))
    yield _row(["---", *["---:"] * (len(_KINDS) + 1)])
    for name, one in sets.items():
        counts = Counter(row["kind"] for row in one["imports"])
        yield _row([name, len(one["imports"]), *(counts[kind] for kind in _KINDS)])
    for name, one in sets.items():
        for kind in ("named", "unnamed"):
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
        if one["refused_but_imported"]:
            listed = ", ".join(one["refused_but_imported"])
            yield from (
                "",
                f"Of {name}, the audit refuses files of these, and all modules are imported: {listed}.",
            )


def _failed(row: Mapping[str, Any]) -> str:
    return f"- `{row['module']}` of {row['distribution']}: {row['error']}{'' if row['venv'] else ' `*`'}"


def _listed(rows: Sequence[Mapping[str, Any]]) -> str:
    pairs: dict[str, set[str]] = {}
    for row in rows:
        pairs.setdefault(row["distribution"], set()).add(row["library"])
    return "; ".join(f"{name} ({', '.join(sorted(libraries))})" for name, libraries in sorted(pairs.items()))


def kinds(imported: Iterable[Imported], refused: str) -> list[dict[str, Any]]:
    """Return what came of each module, held against what the audit refused.

    :param refused: its message, empty where it refused nothing.
    """
    rows: list[dict[str, Any]] = []
    for one in imported:
        library = one.library
        kind = "imported" if not one.error else "otherwise"
        if library:
            kind = "named" if library in refused else "unnamed"
        fields = {"distribution": one.distribution, "module": one.module, "error": one.error}
        rows.append({**fields, "kind": kind, "library": library})
    return rows
