"""The command `bench/big_wheel`: one wheel of gigabytes through every step, and through `package`."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ociwheel_testing.big_wheel import sha256_of, write_big_wheel

from bench.load.machine import machine_text
from bench.load.meter import RunFailedError, disk_bytes, package
from tests.integration.repository import BASE, Caches, copy_plugin, make_repository
from tests.support.big_wheel import Measured, StepError, through_the_core

MIB = 1 << 20
DESCRIPTION = """\
Make a wheel of incompressible files and measure each step of the core that it goes through: time,
peak resident memory, bytes read and left. Then package an image with it, in caches of its own.
Writes bench/results/big-wheel-<date>.json and .md and prints the latter. Needs five times the
wheel's size on the disk.
"""
EPILOG = "exit status: 0 every step is within --limit; 1 one is not; 2 something could not be measured\n"
REPORT = """\
# A wheel of {size}, {date}

Made by `bench/big_wheel` on {machine}. *Peak* is resident memory of the step's process.

| step | s | peak, MiB | read, MiB | left, MiB |
| --- | ---: | ---: | ---: | ---: |
{steps}
"""
PACKAGED = """\
`./pants package` of an image with it, from nothing and without the daemon: {seconds:.0f} s. Pants's
scheduler took {scheduler} MiB at the peak, all processes of steps at one time {steps} MiB. Its
store grew by {store} MiB and `dist` by {dist} MiB. Packaged again with nothing changed: {again:.0f}
s, scheduler {scheduler_again} MiB.
"""


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    result = argparse.ArgumentParser(
        "bench/big_wheel",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    result.add_argument("--size", type=int, default=2048, metavar="MIB", help="default: %(default)s")
    result.add_argument(
        "--limit", type=int, default=300, metavar="MIB", help="what a step may take (default: %(default)s)"
    )
    result.add_argument(
        "--max-layer-size",
        type=int,
        metavar="MIB",
        help="divide the wheel among layers of this size; its large files are then eight or more each",
    )
    result.add_argument("--core-only", action="store_true", help="measure the steps, without ./pants")
    result.add_argument("--work", type=Path, metavar="DIR", help="default: a temporary folder")
    result.add_argument("--results", type=Path, metavar="DIR", help="default: bench/results")
    return result


def packaged(work: Path, wheel: Path, max_size: int | None) -> dict[str, Any]:
    """Package an image with the wheel twice; return what that took.

    :param max_size: MiB of a layer.
    """
    repository = make_repository(
        work / "repository", Caches(work / "caches"), plugin=copy_plugin(work / "plugin")
    )
    toml = (repository.root / "pants.toml").read_text()
    links = wheel.parent.absolute().as_uri()
    repository.write("pants.toml", f'{toml}\n[python-repos]\nfind_links = ["{links}"]\n')
    name, version = wheel.name.split("-")[:2]
    lock = f"{name}=={version} --hash=sha256:{sha256_of(wheel)}\n"
    repository.write("3rdparty/python/default.lock", lock)
    repository.write("src/app/app/__main__.py", f"import {name}\n")
    bound = "" if max_size is None else f', max_layer_size="{max_size}MiB"'
    repository.write(
        "src/app/BUILD",
        f"""\
python_requirement(name="{name}", requirements=["{name}"])
python_sources(name="lib", sources=["app/*.py"])
slim_python_image(
    name="image", dependencies=[":lib"], entry_point="app", base="{BASE}", platforms=["linux/amd64"]{bound}
)
""",
    )
    first = package(repository, "src/app:image")
    again = package(repository, "src/app:image")
    return {
        "seconds": first.seconds,
        "scheduler": first.peak.scheduler // MIB,
        "steps": first.peak.steps // MIB,
        "store": first.store // MIB,
        "dist": disk_bytes(repository.root / "dist") // MIB,
        "again": again.seconds,
        "scheduler_again": again.peak.scheduler // MIB,
    }


def divided(steps: Iterable[Measured]) -> list[dict[str, Any]]:
    """Return the layers that a wheel was divided among, bottom first; none where it was not."""
    return [
        {"title": one["title"], "bytes": one["descriptor"]["size"], "unpacked": one["unpacked_size"]}
        for measured in steps
        if measured.step == "wheel-layers"
        for one in measured.document["layers"]
    ]


def main(root: Path) -> int:
    """Run the command; return its exit status."""
    args = parser().parse_args()
    date = time.strftime("%Y-%m-%d")
    with tempfile.TemporaryDirectory(prefix="bench-big-", dir=args.work) as folder:
        work = Path(folder)
        bound = args.max_layer_size
        pieces = 1 if bound is None else max(8, 2 * args.size // bound)
        wheel = write_big_wheel(work / "links", args.size * MIB, pieces=pieces)
        try:
            steps = list(through_the_core(wheel, work / "core", bound and bound * MIB))
            shutil.rmtree(work / "core")
            whole = None if args.core_only else packaged(work, wheel, bound)
        except (StepError, RunFailedError) as e:
            print(f"bench/big_wheel: {e}", file=sys.stderr)
            return 2
    rows = [
        {
            "step": one.step,
            "seconds": round(one.seconds, 1),
            "peak": one.peak // MIB,
            "read": round(one.read / MIB, 1),
            "left": round(one.written / MIB, 1),
        }
        for one in steps
    ]
    text = REPORT.format(
        size=f"{args.size} MiB",
        date=date,
        machine=machine_text(),
        steps="\n".join(f"| {' | '.join(str(value) for value in row.values())} |" for row in rows),
    )
    text += "\n" + PACKAGED.format(**whole) if whole else ""
    results = args.results or root / "bench/results"
    results.mkdir(parents=True, exist_ok=True)
    layers = divided(steps)
    if layers:
        largest = max(one["bytes"] for one in layers)
        text += f"\n{len(layers)} layers of at most {bound} MiB; the largest blob has {largest >> 20} MiB.\n"
    document = {"date": date, "machine": machine_text(), "mib": args.size, "steps": rows, "package": whole}
    document["layers"] = layers
    (results / f"big-wheel-{date}.json").write_text(json.dumps(document, indent=1) + "\n")
    (results / f"big-wheel-{date}.md").write_text(text)
    print(text)
    return 0 if max(one.peak for one in steps) <= args.limit * MIB else 1
