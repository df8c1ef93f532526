"""The command `bench/large`: an image of hundreds of distributions beside a small one and BuildKit's."""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.load.large_report import LARGE, SMALL, render
from bench.load.large_tools import TOOLS, Dockerfile, Tool
from bench.load.machine import machine_text
from bench.load.made_wheels import MODULES, Shape, fill
from bench.side.buildkit import BuildKitError
from bench.side.cli import TOOLS as SITE_TOOLS
from bench.side.cli import end_in_order, made_site
from bench.side.contenders.base import AMD64
from bench.side.meter import Sample
from bench.side.site import ContenderError, Site
from tests.support.engine import EngineError, find_tool, missing_tools

PAGE = Path("docs/reference/large-images.md")
LIMIT = 1.3
"""What an unchanged build and an edit of the large image may take, as those of the small one."""

DESCRIPTION = """\
Make wheels, hundreds of them and gigabytes in all, and build an image with all of them and one with a
few: from nothing, with nothing changed and after an edit of one source file, with our plugin and with uv's
Dockerfile on a current BuildKit. Writes bench/results/large-<name>.json and docs/reference/large-images.md.
Needs root on Linux, apt-get install docker.io docker-registry mmdebstrap, and Go; ten times the wheels'
size on the disk
"""
EPILOG = """\
Wheels and base images stay in --work. exit status: 0 within 1.3 of the small image; 1 not; 2 it could not
be measured
"""


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    result = argparse.ArgumentParser(
        "bench/large",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    result.add_argument("--distributions", type=int, default=400, metavar="N", help="default: %(default)s")
    result.add_argument(
        "--megabytes", type=int, default=1000, metavar="MB", help="all wheels (default: %(default)s)"
    )
    result.add_argument(
        "--small",
        type=int,
        default=10,
        metavar="N",
        help="distributions of the small image (default: %(default)s)",
    )
    result.add_argument(
        "--repeats", type=int, default=5, metavar="TIMES", help="default: %(default)s; medians count"
    )
    result.add_argument("--only", metavar="NAME,...", help=f"{', '.join(one.name for one in TOOLS)}")
    result.add_argument("--name", help="of the results (default: today's date)")
    result.add_argument(
        "--work",
        type=Path,
        metavar="DIR",
        help="kept from run to run (default: bench/work/side, as bench/run)",
    )
    return result


def say(text: str) -> None:
    """Print a progress line."""
    print(f"{time.strftime('%H:%M:%S')} bench/large: {text}", file=sys.stderr, flush=True)


@dataclass
class Images:
    """Which distributions each image has.

    :param shape: of all wheels.
    :param small: how many the small image has: the smallest ones.
    """

    shape: Shape
    small: int

    def names(self) -> dict[str, list[str]]:
        """Return the distributions by image."""
        names = self.shape.names()
        return {SMALL: names[-self.small :], LARGE: names}


def _figures(samples: list[Sample]) -> dict[str, Any]:
    """Return the medians of some measurements, and all values of time."""
    found: dict[str, Any] = {"seconds": round(statistics.median(one.wall for one in samples), 3)}
    found["all_seconds"] = [round(one.wall, 3) for one in samples]
    for name in ("cpu", "memory", "written", "others"):
        values = [value for one in samples if (value := getattr(one, name)) is not None]
        if values:
            found[name] = round(statistics.median(values), 3)
    return found


def measured(site: Site, tool: Tool, image: str, repeats: int) -> dict[str, Any]:
    """Return what one image takes with one tool: from nothing, unchanged, after an edit; and memory."""

    def run(what: str, times: int, before: Callable[[], object] = lambda: None) -> dict[str, Any]:
        samples = []
        for _ in range(times):
            before()
            with site.meter.measure() as sample:
                tool.build(image)
            samples.append(sample)
        found = _figures(samples)
        say(f"{tool.name}, {image}: {what}: {found['seconds']:.2f} s")
        return found

    found = {"cold": run("cold", 1)}
    # Once more, so that nothing of the first build is left to do.
    tool.build(image)
    found["same"] = run("nothing changed", repeats)
    found["source"] = run("one source file", repeats, lambda: tool.edit(image))
    found["memory"] = {"daemon": tool.daemon_bytes(), "client": tool.client_bytes(image)}
    say(f"{tool.name}, {image}: daemon and client, MB: {[one // 10**6 for one in found['memory'].values()]}")
    return found


def measure(site: Site, images: Images, tools: list[type[Tool]], repeats: int) -> dict[str, Any]:
    """Return all figures by tool and image."""
    say(f"wheels: {images.shape.distributions}, {images.shape.megabytes} MB")
    hashes = fill(site.work / "mirror", images.shape)
    found: dict[str, Any] = {}
    for kind in tools:
        found[kind.name] = {}
        for image, names in images.names().items():
            # Each in caches of its own: no layer is there already, and the daemon's memory is of one image.
            tool = kind(site, {image: names}, hashes)
            try:
                tool.start()
                found[kind.name][image] = measured(site, tool, image, repeats)
            finally:
                tool.stop()
    return found


def ratios(tools: dict[str, Any]) -> dict[str, float]:
    """Return what the large image takes as the small one, by tool and scenario."""
    return {
        f"{name}, {key}": round(found[LARGE][key]["seconds"] / found[SMALL][key]["seconds"], 2)
        for name, found in tools.items()
        for key in ("same", "source")
    }


def run(root: Path, args: argparse.Namespace) -> int:
    """Measure, and write results and page."""
    names = args.only.split(",") if args.only else [one.name for one in TOOLS]
    if unknown := set(names) - {one.name for one in TOOLS}:
        known = ", ".join(one.name for one in TOOLS)
        raise ValueError(f"no tool {', '.join(sorted(unknown))}; there are {known}")
    images = Images(Shape(args.distributions, args.megabytes), args.small)
    work = (args.work or root / "bench/work/side").resolve()
    work.mkdir(parents=True, exist_ok=True)
    # Ours needs none of the base images, which take minutes.
    with made_site(root, work, (AMD64,) if Dockerfile.name in names else ()) as site:
        tools = measure(site, images, [one for one in TOOLS if one.name in names], args.repeats)
    date = time.strftime("%Y-%m-%d", time.gmtime())
    document = {
        "schema": "bench.large/1",
        "date": date,
        "machine": machine_text(),
        **asdict(images),
        "modules": MODULES,
        "tools": tools,
        "ratios": ratios(tools),
    }
    file = root / "bench/results" / f"large-{args.name or date}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(document, indent=1) + "\n")
    text = render(document, f"bench/results/{file.name}", LIMIT)
    (root / PAGE).write_text(text)
    print(text)
    ours = [ratio for name, ratio in document["ratios"].items() if name.startswith("ours, ")]
    return 0 if max(ours, default=0) <= LIMIT else 1


def main(root: Path) -> int:
    """Run the command; return its exit status."""
    args = parser().parse_args()
    missing = [*missing_tools(), *(tool for tool in SITE_TOOLS if not find_tool(tool))]
    if missing:
        say(f"needs {', '.join(missing)}\n  -> as root: apt-get install docker.io docker-registry mmdebstrap")
        return 2
    end_in_order()
    try:
        return run(root, args)
    except (BuildKitError, ContenderError, EngineError, ValueError) as error:
        say(str(error))
        return 2
    except KeyboardInterrupt:
        say("cut: nothing is written")
        return 2
