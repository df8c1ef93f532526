"""The page: tables and plots, every number with the lines of the log that it comes from."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bench.side.contenders import CONTENDERS, OURS
from bench.side.figures import Target, best, cell, ended_after, foreign_load, loudest, not_measured
from bench.side.plots import Bar, bars
from bench.side.records import Entry, Log
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
    "publish": "publish after a source edit, built before",
    "deliver": "from an edit to the registry",
    "pull": "pull with the version before",
}
SERVICES = ("service", "devcon_spark", "history")
DOCKER = ("classic", "inherited", "uv")
"""`docker build`, and `docker push` after it."""
BUILDCTL = "buildkit"
# As issue 19 has them.
TARGETS = (
    Target("cold", "wall", 0.75),
    Target("same", "wall", 1.2, (FLOOR,)),
    Target("source", "wall", 0.9, DOCKER),
    Target("source", "wall", 1.6, (FLOOR,), "same"),
    Target("shared", "wall", 1.0, DOCKER),
    Target("fourth", "wall", 0.9, DOCKER),
    Target("pure", "wall", 0.35),
    Target("compiled", "wall", 0.25),
    Target("cache", "wall", 1.15, (FLOOR,), "cold"),
    Target("cache", "wall", 0.4, ("pants-docker",)),
    Target("deliver", "wall", 0.9, DOCKER),
    Target("arm", "wall", 0.05),
    *(Target(f"start-{service}", "answer_seconds", 1.0, ("uv",)) for service in SERVICES),
    # No figure is named for these by that issue: the best, and half the size.
    *(Target(key, "wall", 1.0) for key in ("publish-first", "pull")),
    *(Target(f"size-{service}", "unpacked", 0.5) for service in SERVICES),
)
PUBLISH_BYTES = 24_000

Format = Callable[[float], str]

QUIET = 0.5
"""Processors kept busy by others, above which a turn is not called quiet: some are slowed down more."""


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
    return [
        "# Side by side",
        "",
        "```console",
        "$ bench/run            # everything, three times; --quick: once, and only what takes minutes",
        "```",
        "",
        f"Made by `bench/run` on {facts.get('date', '?')}: {facts.get('machine', '?')}.",
        *(_quiet(repeat, entry) for repeat, entry in loudest(log).items()),
        f"Numbers are medians; those in brackets are lines of `{source}`. MB are millions of bytes.",
        "",
        "![Seconds](side-by-side-seconds.svg)",
        "",
        "## Targets",
        "",
        *_targets(log),
        "",
    ]


def _quiet(repeat: int, entry: Entry) -> str:
    """Say of a turn whether it was one without other load."""
    what = (
        "processors kept busy by others" if "others" in entry.figures else "load average of the minute before"
    )
    load = foreign_load(entry)
    verdict = "quiet" if load <= QUIET else f"**not quiet**, which is at most {QUIET}"
    return f"Turn {repeat}: {what} at most {load:.2f} [{entry.line}]: {verdict}."


def _targets(log: Log) -> list[str]:
    head = ["scenario", "ours", "against", "ratio", "target", "", "of processor time", "ratio to `buildctl`"]
    return _table(head, [*(_target(log, target) for target in TARGETS), _publish_target(log)])


def _target(log: Log, target: Target) -> list[str]:
    """Return the row of a target."""
    ours = cell(log, OURS, target.key, target.figure).median
    other = best(log, target, _others())
    show = _megabytes if target.figure == "unpacked" else _seconds
    unit = "MB" if target.figure == "unpacked" else "s"
    row = [BUILDS.get(target.key, target.key.replace("-", ", ")), _shown(ours, show, unit)]
    share = f"{target.share:g}"
    ended = ended_after(log, target.their_key, target.against or _others())
    if ours is not None and other is None and ended is not None:
        # What they would have taken is not known, only that it is more.
        ratio = ours / ended[1]
        failed = [n for n in _others() if cell(log, n, target.key, "wall").reason.startswith("failed")]
        verdict = "met" if ratio <= target.share and not failed else "not known"
        return [
            *row,
            f"more than {ended[1]:.0f} {unit} ({ended[0]})",
            f"< {ratio:.2f}",
            share,
            verdict,
            "",
            "",
        ]
    if ours is None or other is None:
        names = ", ".join(target.against)
        return [*row, names, "", share, "not measured", "", ""]
    ratio = ours / other[1]
    verdict = "met" if ratio <= target.share else "**missed**"
    title = f"{other[0]}, {BUILDS[target.of]}" if target.of else other[0]
    against = f"{show(other[1])} {unit} ({title})"
    processor = _ratio(log, target, "cpu", other[0])
    bare = _ratio(log, target, target.figure, BUILDCTL) if other[0] != BUILDCTL else ""
    return [*row, against, f"{ratio:.2f}", share, verdict, processor, bare if not target.of else ""]


def _ratio(log: Log, target: Target, figure: str, other: str) -> str:
    """Return another ratio of a scenario: of processor time, which load changes least, or to another."""
    ours = cell(log, OURS, target.key, figure).median
    theirs = cell(log, other, target.their_key, figure).median
    return f"{ours / theirs:.2f}" if ours and theirs else ""


def _publish_target(log: Log) -> list[str]:
    ours = cell(log, OURS, "publish", "sent").median
    title = "bytes sent after a source edit"
    if ours is None:
        return [title, "", "", "", str(PUBLISH_BYTES), "not measured", "", ""]
    other = cell(log, BUILDCTL, "publish", "sent").median
    verdict = "met" if ours <= PUBLISH_BYTES else "**missed**"
    bare = f"{ours / other:.2f}" if other else ""
    return [title, f"{ours:.0f}", "", "", str(PUBLISH_BYTES), verdict, "", bare]


def _shown(value: float | None, show: Format, unit: str) -> str:
    return "" if value is None else f"{show(value)} {unit}"


def _tables(log: Log) -> list[str]:
    lines = ["## Contenders", ""]
    lines += [f"- **{kind.name}**, {kind.title}: {kind.guide}." for kind in CONTENDERS]
    for title, figure, show in (
        ("Seconds", "wall", _seconds),
        ("Processor seconds", "cpu", _seconds),
        ("Processors that others kept busy", "others", _seconds),
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
