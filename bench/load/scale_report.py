"""How the measurements of `bench/scale` read."""

from __future__ import annotations

import itertools
from typing import Any

HEAD = """\
# Large repositories, {date}

Made by `bench/scale` on {machine}. Each image imports {uses} of {wheels} locked wheels and is for
linux/amd64; *archives* are as many of Pants's own `archive` targets of one small file each, to compare
with. *Per image* is what each further image adds. *Pants* is the peak resident memory of its scheduler
(the daemon, where there is one), *steps* that of all processes which it ran at one time. Requests are to
the local cache; a run with its daemon knows what it did, and asks for what changed only.

"""


def _mib(size: int) -> str:
    return f"{size / 2**20:.0f}"


def _scenarios(document: dict[str, Any]) -> list[str]:
    return [each["scenario"] for each in document["measurements"][0]["rows"]]


def _by_scenario(one: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {each["scenario"]: each for each in one["rows"]}


def _seconds(document: dict[str, Any]) -> str:
    measurements = document["measurements"]
    counts = [one["images"] for one in measurements]
    steps = list(itertools.pairwise(counts))
    heads = [*(f"{count}, s" for count in counts), *(f"per image {a} to {b}, s" for a, b in steps)]
    lines = [f"| | {' | '.join(heads)} |", f"| --- | {' | '.join(['---:'] * len(heads))} |"]
    for name in _scenarios(document):
        seconds = [_by_scenario(one)[name]["seconds"] for one in measurements]
        slopes = [f"{(seconds[n + 1] - seconds[n]) / (b - a):.3f}" for n, (a, b) in enumerate(steps)]
        lines.append(f"| {name} | {' | '.join([*(f'{one:.1f}' for one in seconds), *slopes])} |")
    return "\n".join(lines) + "\n"


def _ratios(document: dict[str, Any]) -> str:
    lines = ["| nothing changed: images, as archives | ratio |", "| --- | ---: |"]
    lines += [f"| {name} | **{ratio:.2f}** |" for name, ratio in document["ratios"].items()]
    return "\n".join(lines) + "\n"


def _details(one: dict[str, Any]) -> str:
    lines = [
        "| | steps that ran | cache requests | hits | into the store, MiB | Pants, MiB | steps, MiB |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for each in one["rows"]:
        steps = ", ".join(f"{count} {kind}" for kind, count in each["steps"].items()) or "none"
        cells = [
            *(each["scenario"], steps, str(each["cache_requests"]), str(each["cache_hits"])),
            *(_mib(each["store_bytes"]), _mib(each["scheduler_bytes"]), _mib(each["steps_bytes"])),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _shared(one: dict[str, Any]) -> str:
    return f", with shared blobs {_mib(one['shared_dist_bytes'])} MiB" if "shared_dist_bytes" in one else ""


def render(document: dict[str, Any]) -> str:
    """Return the report as Markdown."""
    first = document["measurements"][0]
    head = HEAD.format(
        date=document["date"],
        machine=document["machine"],
        uses=first["wheels_of_an_image"],
        wheels=first["wheels"],
    )
    parts = [head + _seconds(document), _ratios(document)]
    parts += [
        f"## {one['images']} images\n\n"
        f"`dist` takes {_mib(one['dist_bytes'])} MiB{_shared(one)}. The line of the lock is that of "
        f"{one['images_of_the_lock_line']} images.\n\n{_details(one)}"
        for one in document["measurements"]
    ]
    return "\n".join(parts)
