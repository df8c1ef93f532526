"""What `bench/smoke` counts, how the counts are kept, and how two sets of them differ."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.load.meter import Sample
from tests.integration.repository import Repository

ACCEPT = "bench/smoke --accept"
HEAD = f"""\
# What packaging a small repository costs, by scenario: written by `{ACCEPT}`, checked by `bench/smoke`.
# Bytes are of files: `store` those over 512 KiB that Pants's store gained, `new` those of blobs that
# `dist` did not have before. Processor time is that of the cheapest step of a kind, in empty steps; twice as
# much is a slip.

"""
UNITS = "processor time, in empty steps"

Counts = dict[str, int]
Units = dict[str, float]


@dataclass(frozen=True)
class Contents:
    """What is on the disk before or after a run.

    :param store: bytes of large files in Pants's store, by content.
    :param blobs: bytes of the blobs of all layouts, by digest.
    """

    store: Mapping[str, int]
    blobs: Mapping[str, int]


def contents(repository: Repository) -> Contents:
    """Look at the store and at ``dist``."""
    store = repository.caches.folder / "store/immutable/files"
    blobs = (repository.root / "dist").glob("**/blobs/sha256/*")
    return Contents(
        {path.name: path.stat().st_size for path in store.glob("*/*")},
        {path.name: path.stat().st_size for path in blobs},
    )


def _sum_of_new(after: Mapping[str, int], before: Mapping[str, int]) -> int:
    return sum(size for name, size in after.items() if name not in before)


def counts(repository: Repository, sample: Sample, before: Contents, processes: Mapping[str, int]) -> Counts:
    """Return what a run did and left.

    :param before: what was on the disk before the run.
    :param processes: of steps, with the programs that they started.
    """
    after = contents(repository)
    files = [path for path in (repository.root / "dist").rglob("*") if path.is_file()]
    images = [
        one
        for report in sorted((repository.root / "dist").glob("*/image.json"))
        for one in json.loads(report.read_bytes())["platforms"]
    ]
    return {
        **{f"step: {name}": number for name, number in sorted(sample.started.items())},
        "steps": sample.started.total(),
        **processes,
        "cache requests": sample.counters["local_cache_requests"],
        "cache hits": sample.counters["local_cache_requests_cached"],
        "store bytes": _sum_of_new(after.store, before.store),
        "new blobs": len(after.blobs.keys() - before.blobs.keys()),
        "new bytes": _sum_of_new(after.blobs, before.blobs),
        "dist files": len(files),
        "dist bytes": sum(path.stat().st_size for path in files),
        "images": len(images),
        "image bytes": sum(one["size"] for one in images),
        "image bytes unpacked": sum(one["unpacked_size"] for one in images),
    }


def differences(expected: Mapping[str, Counts], found: Mapping[str, Counts]) -> Iterator[str]:
    """Yield a line for each count that is not as expected."""
    for scenario in dict.fromkeys((*expected, *found)):
        old, new = expected.get(scenario, {}), found.get(scenario, {})
        for name in dict.fromkeys((*old, *new)):
            before, after = old.get(name, 0), new.get(name, 0)
            if before != after:
                yield f"{scenario}: {name}: {before} expected, {after} found ({after - before:+})"


def render(scenarios: Mapping[str, Counts], units: Units) -> str:
    """Return counts as TOML, and the processor time of the kinds of steps."""
    tables = [*(_table(name, found) for name, found in scenarios.items()), _table(UNITS, units)]
    return HEAD + "\n".join(tables)


def _table(name: str, numbers: Mapping[str, float]) -> str:
    return f"[{json.dumps(name)}]\n" + "".join(f"{json.dumps(key)} = {n}\n" for key, n in numbers.items())


def read(file: Path) -> tuple[dict[str, Counts], Units]:
    """Return what is kept in a file, as :func:`render` takes it; nothing where it is missing."""
    document = tomllib.loads(file.read_text()) if file.exists() else {}
    units = document.pop(UNITS, {})
    return document, units
