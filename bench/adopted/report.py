"""The page of what was found: from `bench/results/adopt.json`, so that it never says anything else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bench.adopted.monorepos import Monorepo, monorepos

RESULTS = "bench/results/adopt.json"
PAGE = "docs/reference/adopted.md"
_MIB = 1 << 20
_HEAD = """\
# Adopted: other people's monorepos

Made by `bench/adopt` from `bench/results/adopt.json`: public monorepos with a patch of ours each
(`bench/adopted/patches`), packaged for linux/amd64, every image started in Docker with nothing writable, no
network and no capability. The repositories are not part of this one; nothing of them but the context of a
patch is kept here. `bench/adopt --help` says what a run needs, with the commands that get the checkouts.

*Pants there* is the version that the repository names, *run with* the one that packaged it here, both what
is theirs and what is ours. *Lines* are those that the patch adds and removes, without lockfiles, which Pants
writes. *Edit* is the faster of two runs of `package` after a change of a source file that all of its services
have, with the daemon; *cold* is from an empty store of Pants. What they *had* is packaged by the same Pants
in the same run: their `docker_image` targets where they have some, else the `pex_binary` targets of the same
services, files that a Dockerfile still has to make images of. Sizes of images are those of their compressed
layers.

| | Pants there | run with | lines | images | image, MiB | edit, s | had | had, MiB | had: edit, s |
| --- | --- | --- | ---: | ---: | ---: | ---: | --- | ---: | ---: |
"""


def _anchor(heading: str) -> str:
    """Return the fragment that Markdown's viewers give a heading."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def _mib(values: Iterator[int]) -> str:
    found = sorted(value / _MIB for value in values)
    if not found:
        return "–"
    low, high = f"{found[0]:.0f}", f"{found[-1]:.0f}"
    return low if low == high else f"{low} to {high}"


def _cell(line: str) -> str:
    return line.replace("|", "\\|")[:100]


def _row(monorepo: Monorepo, found: Mapping[str, Any]) -> str:
    changed, had = found["changed"], found["had"]
    cells = (
        f"[{monorepo.name}](#{_anchor(monorepo.name)})",
        monorepo.pants,
        monorepo.engine,
        f"+{changed['added']} -{changed['removed']}",
        str(len(found["services"])),
        _mib(one["bytes"] for one in found["services"]),
        f"{found['seconds']['edit']:.1f}",
        f"`{monorepo.kind}`" if had else "–",
        _mib(iter(found["had_bytes"].values())),
        f"{had['edit']:.1f}" if had else "–",
    )
    return f"| {' | '.join(cells)} |\n"


def _section(monorepo: Monorepo, found: Mapping[str, Any]) -> Iterator[str]:
    yield f"\n## {monorepo.name}\n\n"
    yield f"{monorepo.source}, at `{monorepo.commit[:12]}`, on {found['date']}; {found['machine']}.\n\n"
    yield f"{monorepo.about.strip()}\n\n"
    seconds = {f"`generate-lockfiles --resolve={name}`": value for name, value in found["locks"].items()}
    for kind, values in (("images", found["seconds"]), (f"`{monorepo.kind}`", found["had"])):
        seconds |= {f"{kind}, {name}": value for name, value in values.items()}
    yield "| | s |\n| --- | ---: |\n"
    yield from (f"| {name} | {value:.1f} |\n" for name, value in seconds.items())
    yield "\n| image | MiB | unpacked, MiB | what it printed |\n| --- | ---: | ---: | --- |\n"
    for one in found["services"]:
        sizes = f"{one['bytes'] / _MIB:.0f} | {one['unpacked'] / _MIB:.0f}"
        yield f"| `{one['target']}` | {sizes} | `{_cell(one['line'])}` |\n"
    for name, size in found["had_bytes"].items():
        image = found.get("had_images", {}).get(name)
        more = f"{image['unpacked'] / _MIB:.0f} | `{_cell(image['line'])}`" if image else "– | –"
        yield f"| had: `{name}` | {size / _MIB:.0f} | {more} |\n"


def page(results: Mapping[str, Any]) -> str:
    """Return the page of results, by the name of a monorepo."""
    known = [one for one in monorepos() if one.name in results]
    rows = [_row(one, results[one.name]) for one in known]
    sections = [text for one in known for text in _section(one, results[one.name])]
    return "".join([_HEAD, *rows, *sections])


def write_page(root: Path) -> None:
    """Write the page anew."""
    (root / PAGE).write_text(page(json.loads((root / RESULTS).read_text())))
