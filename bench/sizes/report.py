"""The measurements as Markdown and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from bench.sizes.measure import Image, Layer

MEGABYTE = 1_000_000
LARGEST = 25
_TITLE_LIMIT = 100

Service = tuple[Image, Sequence[Image]]
"""Ours, and the variants of the classic, the headline first."""


def megabytes(size: int) -> str:
    """Return bytes as millions with one digit."""
    return f"{size / MEGABYTE:.1f}"


def ratio(ours: int, theirs: int) -> str:
    """Return ours as a share of theirs."""
    return f"{100 * ours / theirs:.1f} %"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return a Markdown table whose first column is text and whose others are numbers."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return [f"| {' | '.join(line)} |" for line in lines]


def _stored(image: Image) -> int:
    return image.gzip if image.stored is None else image.stored


def headline(services: Mapping[str, Service]) -> list[str]:
    """Return ours against the classic, one line per service."""
    head = [
        "MB",
        "ours, unpacked",
        "classic, unpacked",
        "ours is",
        "ours, compressed",
        "classic, compressed",
        "ours is",
    ]
    rows = []
    for name, (ours, (classic, *_)) in services.items():
        unpacked = [
            megabytes(ours.engine),
            megabytes(classic.engine),
            f"**{ratio(ours.engine, classic.engine)}**",
        ]
        compressed = [_stored(ours), classic.gzip]
        rows.append(
            [name, *unpacked, *map(megabytes, compressed), f"**{ratio(compressed[0], compressed[1])}**"]
        )
    return table(head, rows)


def variants(services: Mapping[str, Service]) -> list[str]:
    """Return every image in every measure, with what ours is of it."""
    head = ["MB", "engine", "ours is", "flattened", "ours is", "gzip -6", "ours is", "files", "bytecode"]
    rows = []
    for name, (ours, others) in services.items():
        for image in (ours, *others):
            pairs = [(ours.engine, image.engine), (ours.flattened, image.flattened), (ours.gzip, image.gzip)]
            shares = [cell for mine, size in pairs for cell in (megabytes(size), ratio(mine, size))]
            rows += [[f"{name}: {image.title}", *shares, str(image.files), megabytes(image.bytecode)]]
    return table(head, rows)


def layers(image: Image) -> list[str]:
    """Return what an image consists of, layer by layer, bottom first."""
    head = ["MB", "unpacked", "share", "of it bytecode", "gzip -6", "files"]
    total = sum(layer.unpacked for layer in image.layers) or 1
    rows = [
        [
            _title(layer),
            *(f"{layer.unpacked / MEGABYTE:.2f}", ratio(layer.unpacked, total)),
            *(f"{layer.bytecode / MEGABYTE:.2f}", f"{layer.gzip / MEGABYTE:.2f}", str(layer.files)),
        ]
        for layer in image.layers
    ]
    return table(head, rows)


def _title(layer: Layer) -> str:
    title = " ".join(layer.title.split()).replace("|", "\\|")
    return title if len(title) <= _TITLE_LIMIT else title[:_TITLE_LIMIT] + " …"


def kinds(services: Mapping[str, Service], kind_of: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Return what our images consist of by kind; bytecode is a kind of its own, not part of the others.

    :param kind_of: per service, the kind of each layer's title.
    """
    names = list(dict.fromkeys(kind for titles in kind_of.values() for kind in titles.values()))
    rows = []
    for name, (ours, _) in services.items():
        sums = dict.fromkeys(names, 0)
        for layer in ours.layers:
            sums[kind_of[name][layer.title]] += layer.unpacked - layer.bytecode
        rows.append(
            [name, *(f"{sums[kind] / MEGABYTE:.2f}" for kind in names), f"{ours.bytecode / MEGABYTE:.2f}"]
        )
    return table(["MB, unpacked", *names, "bytecode"], rows)


def markdown(
    services: Mapping[str, Service], kind_of: Mapping[str, Mapping[str, str]], facts: Mapping[str, str]
) -> str:
    """Return the whole report."""
    lines = [f"# Image size, {facts['date']}", ""]
    lines += [
        "Made by `bench/image_size`. MB are millions of bytes. *Unpacked* is the size that the Docker",
        "engine gives an image, the sum of its layers; *flattened* is what a container sees; *compressed* is",
        "ours as stored in its layout, and the classic's layers through `gzip -6`. The classic",
        "(`bench/classic/`) has Debian's python3 as base, as ours does. Every image answered `/health`",
        "before it was measured.",
        "",
        *(f"* {key}: {value}" for key, value in facts.items() if key != "date"),
        "",
        *headline(services),
        *("", "## Every variant in every measure", "", *variants(services)),
        *("", "## What ours consists of", "", *kinds(services, kind_of)),
    ]
    for name, (ours, (classic, *_)) in services.items():
        lines += [
            "",
            f"### {name}: ours",
            "",
            *layers(ours),
            "",
            f"### {name}: classic",
            "",
            *layers(classic),
        ]
        largest = [[f"`{path}`", f"{size / MEGABYTE:.2f}"] for path, size in ours.paths[:LARGEST]]
        lines += [
            "",
            f"### {name}: the largest folders and files of ours",
            "",
            *table(["MB", "unpacked"], largest),
        ]
    return "\n".join(lines) + "\n"


def document(services: Mapping[str, Service], facts: Mapping[str, str]) -> dict[str, Any]:
    """Return the report as JSON."""
    return {
        "schema": "bench.image-size/1",
        **facts,
        "services": {
            name: {"ours": _json(ours), "classic": [_json(image) for image in others]}
            for name, (ours, others) in services.items()
        },
    }


def _json(image: Image) -> dict[str, Any]:
    return {**asdict(image), "gzip": image.gzip, "paths": [list(entry) for entry in image.paths[:LARGEST]]}
