"""The page: tables and plots, every number with the lines of the log that it comes from."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bench.side.contenders import CONTENDERS, OURS
from bench.side.figures import Target, best, cell, ended_after, load_range, not_measured
from bench.side.plots import Bar, bars
from bench.side.records import Log
from bench.side.repository import COMPILED_LINE, PURE_LINE

PAGE = Path("docs/reference/side-by-side.md")
# Written by people: what the numbers mean. The rest of the page is made from the log.
NOTES = Path("bench/side/notes.md")
FLOOR = "floor"
MEGABYTE = 1_000_000

BUILDS: Mapping[str, str] = {
    "cold": "cold",
    "same": "nothing changed",
    "source": "one source file of `devcon_spark`",
    "shared": "one source file of the shared library",
    "pure": f"a pure-Python lock line (`{PURE_LINE.name}`)",
    "compiled": f"a compiled lock line (`{COMPILED_LINE.name}`)",
    "fourth": "a fourth image, same dependencies",
    "cache": "fresh machine, filled cache",
    "arm": "linux/arm/v7, cold",
    "publish-first": "publish, registry without them",
    "publish": "publish after a source edit",
    "pull": "pull with the version before",
}
SERVICES = ("service", "devcon_spark", "history")
# As issue 6 has them.
TARGETS = (
    Target("cold", "wall", 0.5),
    Target("source", "wall", 0.2),
    Target("compiled", "wall", 0.2),
    Target("fourth", "wall", 0.2),
    Target("cache", "wall", 0.2),
    Target("arm", "wall", 0.1),
    Target("same", "wall", 1.2, (FLOOR,)),
    # No figure is named for these: the best.
    *(Target(key, "wall", 1.0) for key in ("shared", "pure", "publish-first", "publish", "pull")),
    *(Target(f"size-{service}", "unpacked", 0.5) for service in SERVICES),
    *(Target(f"start-{service}", "answer_seconds", 1.0, ("uv",)) for service in SERVICES),
)
PUBLISH_BYTES = 16_384

Format = Callable[[float], str]

QUIET = 0.5
"""The load average above which a run is not called quiet: load slows some contenders down more."""


def _seconds(value: float) -> str:
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _megabytes(value: float) -> str:
    return f"{value / MEGABYTE:.1f}" if value >= MEGABYTE else f"{value / MEGABYTE:.3f}"


def _count(value: float) -> str:
    return f"{value:.0f}"


def write_report(root: Path, name: str, log: Log) -> None:
    """Write the page and its plots."""
    results = Path("bench/results")
    facts_file = root / results / f"side-by-side-{name}.json"
    facts: dict[str, str] = json.loads(facts_file.read_text()) if facts_file.exists() else {}
    summary = {"schema": "bench.side-by-side/1", **facts, "cells": _cells(log)}
    facts_file.write_text(json.dumps(summary, indent=1) + "\n")
    page = root / PAGE
    for plot, text in _plots(log).items():
        (page.parent / f"side-by-side-{plot}.svg").write_text(text)
    notes = (root / NOTES).read_text()
    source = f"{results}/side-by-side-{name}.jsonl"
    page.write_text("\n".join((*_head(facts, log, source), notes, *_tables(log))) + "\n")


def _cells(log: Log) -> dict[str, dict[str, dict[str, object]]]:
    """Return every median by contender and key, with its lines."""
    found: dict[str, dict[str, dict[str, object]]] = {}
    for entry in log.entries:
        at = found.setdefault(entry.contender, {}).setdefault(entry.key, {})
        for figure in entry.figures:
            one = cell(log, entry.contender, entry.key, figure)
            at[figure] = {"median": one.median, "values": one.values, "lines": one.lines}
        if entry.reason and not at:
            at["reason"] = entry.reason
    return found


def _others() -> list[str]:
    return [kind.name for kind in CONTENDERS if kind.name not in (OURS, FLOOR)]


def _head(facts: Mapping[str, str], log: Log, source: str) -> list[str]:
    loads = load_range(log)
    load = f"load average before a measurement {loads[0]:.1f} to {loads[1]:.1f}" if loads else "no load known"
    quiet = loads is not None and loads[1] <= QUIET
    load += ": a quiet run" if quiet else f": not a quiet run, whose load is at most {QUIET}"
    return [
        "# Side by side",
        "",
        "```console",
        "$ bench/run            # everything, three times; --quick: once, and only what takes minutes",
        "```",
        "",
        f"Made by `bench/run` on {facts.get('date', '?')}: {facts.get('machine', '?')}; {load}.",
        f"Numbers are medians; those in brackets are lines of `{source}`. MB are millions of bytes.",
        "",
        "![Seconds](side-by-side-seconds.svg)",
        "",
        "## Targets",
        "",
        *_targets(log),
        "",
    ]


def _targets(log: Log) -> list[str]:
    head = ["scenario", "ours", "best other", "ratio", "of processor time", "target", ""]
    rows = []
    for target in TARGETS:
        ours = cell(log, OURS, target.key, target.figure).median
        other = best(log, target, _others())
        show = _megabytes if target.figure == "unpacked" else _seconds
        unit = "MB" if target.figure == "unpacked" else "s"
        title = BUILDS.get(target.key, target.key.replace("-", ", "))
        ended = ended_after(log, target.key, target.against or _others())
        if ours is not None and other is None and ended is not None:
            # What they would have taken is not known, only that it is more.
            ratio = ours / ended[1]
            failed = [n for n in _others() if cell(log, n, target.key, "wall").reason.startswith("failed")]
            verdict = "met" if ratio <= target.share and not failed else "not known"
            cells = [
                _shown(ours, show, unit),
                f"more than {ended[1]:.0f} {unit} ({ended[0]})",
                f"< {ratio:.2f}",
            ]
            rows.append([title, *cells, "", f"{target.share:g}", verdict])
            continue
        if ours is None or other is None:
            rows.append([title, _shown(ours, show, unit), "", "", "", f"{target.share:g}", "not measured"])
            continue
        ratio = ours / other[1]
        verdict = "met" if ratio <= target.share else "**missed**"
        cells = [_shown(ours, show, unit), f"{show(other[1])} {unit} ({other[0]})", f"{ratio:.2f}"]
        cells.append(_processor_ratio(log, target.key, other[0]))
        rows.append([title, *cells, f"{target.share:g}", verdict])
    rows.append(_publish_target(log))
    return _table(head, rows)


def _processor_ratio(log: Log, key: str, other: str) -> str:
    """Return the ratio that a busy machine changes least."""
    ours, theirs = (cell(log, name, key, "cpu").median for name in (OURS, other))
    return f"{ours / theirs:.2f}" if ours and theirs else ""


def _publish_target(log: Log) -> list[str]:
    ours = cell(log, OURS, "publish", "sent").median
    source = cell(log, OURS, "publish", "source_bytes").median
    title = "bytes sent after a source edit"
    if ours is None or source is None:
        return [title, "", "", "", "", "source + 16 KB", "not measured"]
    verdict = "met" if ours <= source + PUBLISH_BYTES else "**missed**"
    return [title, f"{ours:.0f}", "", "", "", f"{source:.0f} + {PUBLISH_BYTES}", verdict]


def _shown(value: float | None, show: Format, unit: str) -> str:
    return "" if value is None else f"{show(value)} {unit}"


def _tables(log: Log) -> list[str]:
    lines = ["## Contenders", ""]
    lines += [f"- **{kind.name}**, {kind.title}: {kind.guide}." for kind in CONTENDERS]
    for title, figure, show in (
        ("Seconds", "wall", _seconds),
        ("Processor seconds", "cpu", _seconds),
        ("Load average of the minute before", "load", _seconds),
        ("Peak anonymous memory, MB", "memory", _megabytes),
        ("Written to file systems, MB", "written", _megabytes),
        ("From the package index and the Debian mirror, MB", "downloaded", _megabytes),
        ("From the registry, MB", "received", _megabytes),
        ("To the registry, MB", "sent", _megabytes),
    ):
        lines += ["", f"## {title}", "", *_by_scenario(log, list(BUILDS.items()), figure, show)]
    for title, key, figure, show in (
        ("Image, unpacked, MB", "size", "unpacked", _megabytes),
        ("Image, each layer through gzip -6, MB", "size", "compressed", _megabytes),
        ("Files in the image", "size", "files", _count),
        ("From `docker run` to the first answer, seconds", "start", "answer_seconds", _seconds),
        ("First import in a new container, seconds", "start", "import_seconds", _seconds),
    ):
        rows = [(f"{key}-{service}", service) for service in SERVICES]
        lines += ["", f"## {title}", "", *_by_scenario(log, rows, figure, show)]
    return [*lines, "", *_failures(log)]


def _by_scenario(log: Log, rows: Sequence[tuple[str, str]], figure: str, show: Format) -> list[str]:
    names = [kind.name for kind in CONTENDERS]
    body = []
    for key, title in rows:
        cells = [cell(log, name, key, figure) for name in names]
        if not any(one.values for one in cells):
            body.append([title, *("not measured" for _ in names)])
            continue
        shown = []
        for one in cells:
            if one.median is None:
                ended = one.ended_after if figure == "wall" else None
                shown.append(
                    f"> {ended:.0f}" if ended else "failed" if one.reason.startswith("failed") else "–"
                )
            else:
                at = ", ".join(map(str, one.lines))
                spread = f" ({show(min(one.values))}–{show(max(one.values))})" if len(one.values) > 1 else ""
                shown.append(f"{show(one.median)}{spread} [{at}]")
        body.append([title, *shown])
    return _table(["", *names], body)


def _failures(log: Log) -> list[str]:
    """Return why cells have no number."""
    lines = []
    for kind in CONTENDERS:
        reasons: dict[str, list[str]] = {}
        for key in dict.fromkeys(entry.key for entry in log.entries if entry.contender == kind.name):
            if not any(e.figures for e in log.entries if (e.contender, e.key) == (kind.name, key)):
                reasons.setdefault(not_measured(log, kind.name, key, "wall"), []).append(key)
        lines += [f"- {kind.name}: {', '.join(keys)}: {reason}" for reason, keys in reasons.items()]
    return ["## Without a number", "", *lines] if lines else []


def _plots(log: Log) -> dict[str, str]:
    def group(key: str, title: str, figure: str, show: Format) -> tuple[str, list[Bar]]:
        rows = []
        for kind in CONTENDERS:
            value = cell(log, kind.name, key, figure).median
            if value is not None:
                rows.append(Bar(kind.title.replace("`", ""), value, show(value), kind.name == OURS))
        return title.replace("`", ""), rows

    seconds = [group(key, title, "wall", _seconds) for key, title in BUILDS.items()]
    sizes = [group(f"size-{service}", service, "unpacked", _megabytes) for service in SERVICES]
    return {
        "seconds": bars([one for one in seconds if one[1]], "Seconds, three services"),
        "sizes": bars([one for one in sizes if one[1]], "Image, unpacked, MB"),
    }


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return [f"| {' | '.join(line)} |" for line in lines]
