"""How the measurements of `bench/large` read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SMALL, LARGE = "small", "large"
OURS, OTHER = "ours", "buildkit"
MEGABYTE = 1_000_000
SCENARIOS = {"cold": "from nothing", "same": "nothing changed", "source": "one source file changed"}
QUIET = 0.5
"""Processors that others kept busy, above which the page does not call the machine quiet."""
HEAD = """\
# Large images

```console
$ bench/large --distributions {distributions} --megabytes {megabytes} --small {small}
```

Made by `bench/large` on {date}: {machine} (`{source}`); {load}.

The large image has {distributions} distributions, whose wheels have {megabytes} MB together: a few are
large, most are small, each has {modules} modules and a file that no compressor makes smaller. The small image
has the {small} smallest of them. Both are for linux/amd64. Each is built in caches of its own, by our plugin
with Pants's daemon, and by uv's Dockerfile on a current BuildKit called by `buildctl`, with export to a
folder that is an OCI layout. Wheels come from a mirror on the loopback interface. Seconds are medians of
{repeats}, those from nothing are one run each.
"""


def _seconds(value: float) -> str:
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _megabytes(value: float | None) -> str:
    return "" if value is None else f"{value / MEGABYTE:.0f}"


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _load(tools: Mapping[str, Any]) -> str:
    others = [
        figures["others"]
        for images in tools.values()
        for scenarios in images.values()
        for figures in scenarios.values()
        if "others" in figures
    ]
    if not others:
        return "what else the machine did is not known"
    verdict = (
        "a quiet machine" if max(others) <= QUIET else f"**not a quiet machine**, which is at most {QUIET}"
    )
    return f"others kept at most {max(others):.2f} processors busy: {verdict}"


def _times(tools: Mapping[str, Any]) -> str:
    rows = []
    for key, title in SCENARIOS.items():
        for name, images in tools.items():
            small, large = (images[image][key] for image in (SMALL, LARGE))
            ratio = large["seconds"] / small["seconds"]
            other = tools.get(OTHER, {}).get(LARGE, {}).get(key)
            beside = f"{large['seconds'] / other['seconds']:.2f}" if name == OURS and other else ""
            cells = [_seconds(small["seconds"]), _seconds(large["seconds"]), f"{ratio:.2f}", beside]
            processor = [_seconds(one["cpu"]) if "cpu" in one else "" for one in (small, large)]
            rows.append([f"{title}, {name}", *cells, *processor])
    head = [
        "",
        "small, s",
        "large, s",
        "large as small",
        f"large as {OTHER}",
        "small, processor s",
        "large, processor s",
    ]
    return _table(head, rows)


def _memory(tools: Mapping[str, Any]) -> str:
    rows = []
    for name, images in tools.items():
        for what in ("daemon", "client"):
            values = [images[image]["memory"][what] for image in (SMALL, LARGE)]
            rows.append([f"{what}, {name}", *map(_megabytes, values)])
        for key, title in SCENARIOS.items():
            peaks = [images[image][key].get("memory") for image in (SMALL, LARGE)]
            rows.append([f"all together at the peak, {title}, {name}", *map(_megabytes, peaks)])
    return _table(["", "small, MB", "large, MB"], rows)


def _verdict(ratios: Mapping[str, float], limit: float) -> str:
    lines = [
        f"The target is that the large image takes at most {limit:g} times what the small one takes:",
        "",
    ]
    known = {SCENARIOS[key]: ratios.get(f"{OURS}, {key}") for key in ("same", "source")}
    lines += [
        f"- {title}: {ratio:.2f}: {'met' if ratio <= limit else '**missed**'}"
        for title, ratio in known.items()
        if ratio is not None
    ]
    return "\n".join(lines) + "\n"


def render(document: Mapping[str, Any], source: str, limit: float) -> str:
    """Return the page.

    :param source: the file with the figures.
    :param limit: of ours, large as small.
    """
    tools = document["tools"]
    repeats = len(next(iter(next(iter(tools.values())).values()))["same"]["all_seconds"])
    head = HEAD.format(
        **document["shape"],
        date=document["date"],
        machine=document["machine"],
        source=source,
        small=document["small"],
        load=_load(tools),
        repeats=repeats,
        modules=document["modules"],
    )
    memory = (
        "The daemon's is anonymous memory after the edits, the client's the peak of its resident memory; "
        "*all together* is anonymous memory of daemon, client and steps or containers.\n\n"
    )
    parts = [
        head,
        _verdict(document["ratios"], limit),
        _times(tools),
        "## Memory\n\n" + memory + _memory(tools),
    ]
    return "\n".join(parts)
