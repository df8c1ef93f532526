"""The command: packages, builds, loads, starts, measures, reports."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.sizes import bases, classic, report
from bench.sizes.daemon import MeasuredEngine
from bench.sizes.measure import Image, Meter
from tests.support.engine import EngineError, find_tool, missing_tools

SERVICES = ("service", "devcon_spark", "history")
PLATFORM = "linux/amd64"
PYTHON = "/app/bin/python"

DESCRIPTION = f"""\
Measure the images of the example services against the same services in the classic two-stage Dockerfile
(bench/classic/), with Debian's python3 as base on both sides, in a Docker engine of its own. Writes
bench/results/image-size-<date>.json and .md and prints the latter. {PLATFORM} only; needs root on Linux,
docker.io and mmdebstrap: apt-get install docker.io mmdebstrap
"""
EPILOG = """\
exit status: 0 ours is within --limit for every service; 1 it is not; 2 something could not be measured
"""


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    result = argparse.ArgumentParser(
        "bench/image_size",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    result.add_argument(
        "--dist",
        type=Path,
        metavar="DIR",
        help="packaged images (default: run ./pants package, take its dist)",
    )
    result.add_argument(
        "--service",
        action="append",
        choices=SERVICES,
        help="measure this one only; may be repeated (default: all three)",
    )
    result.add_argument(
        "--limit",
        type=float,
        default=0.5,
        metavar="SHARE",
        help="what ours must be under, as a share of the classic's unpacked bytes (default: %(default)s)",
    )
    result.add_argument(
        "--suite", default="bookworm", help="Debian release of the bases (default: %(default)s)"
    )
    result.add_argument(
        "--bases",
        type=Path,
        metavar="DIR",
        help="keep the classic's base file systems here, or take them from here (default: make them anew)",
    )
    result.add_argument(
        "--results", type=Path, metavar="DIR", help="where the report goes (default: bench/results)"
    )
    return result


def say(text: str) -> None:
    """Print a progress line."""
    print(f"bench/image_size: {text}", file=sys.stderr, flush=True)


def read_report(dist: Path, service: str) -> dict[str, Any]:
    """Return what ``package`` wrote beside an image, for :data:`PLATFORM`.

    :raises ValueError: when the image is not there.
    """
    file = dist / f"src.brewblox.{service}" / "image.json"
    if not file.exists():
        raise ValueError(f"{dist} holds no image of {service}\n  -> ./pants package src/brewblox::")
    platforms = {entry["platform"]: entry for entry in json.loads(file.read_text())["platforms"]}
    if PLATFORM not in platforms:
        raise ValueError(
            f"{file}: {service} was not packaged for {PLATFORM}, only for {', '.join(platforms)}"
        )
    found: dict[str, Any] = platforms[PLATFORM]
    return found


def kind(layer: Mapping[str, Any]) -> str:
    """Return what a layer of ours holds."""
    contents = layer["contents"]
    if any(content["type"] == "wheel" for content in contents):
        return "wheels"
    if any(content["type"] == "source" for content in contents):
        return "sources"
    python = any(content["name"].endswith("-stdlib") for content in contents)
    return "python and its library" if python else "base libraries and data"


def load_ours(root: Path, engine: MeasuredEngine, dist: Path, service: str, work: Path) -> str:
    """Load our image into the engine, packed by the core, and return its name."""
    image = f"bench-{service}:ours"
    archive = work / "ours.tar"
    layout = dist / f"src.brewblox.{service}" / "image"
    command = [sys.executable, "-m", "ociwheel", "archive", "--format", "docker-archive"]
    command += ["--layout", str(layout), "--platform", PLATFORM, "--tag", image, "--output", str(archive)]
    # Run in the core's folder: it is not installed anywhere.
    subprocess.run(command, cwd=root / "pants-plugins", check=True, stdout=subprocess.DEVNULL)
    engine.load(archive)
    archive.unlink()
    return image


@contextlib.contextmanager
def running(folder: Path) -> Iterator[MeasuredEngine]:
    """Give an engine for the length of the measurement."""
    engine = MeasuredEngine(folder, publishes=False)
    engine.start()
    try:
        yield engine
    finally:
        engine.stop()


class Comparison:
    """One run: an engine with the bases in it."""

    def __init__(self, root: Path, engine: MeasuredEngine, dist: Path, work: Path) -> None:
        self._root = root
        self._engine = engine
        self._dist = dist
        self._work = work
        self._meter = Meter(engine, work)
        self._secrets = classic.write_secrets(work / "secrets")

    def import_bases(self, suite: str, folder: Path) -> None:
        """Make the base file systems and import them."""
        folder.mkdir(parents=True, exist_ok=True)
        for base in (bases.FULL, bases.WITH_PIP, bases.WITHOUT_PIP):
            say(f"base of the classic: {base.name}")
            self._engine.import_base(bases.make(base, suite, folder), base.image)

    def service(self, name: str, facts: Mapping[str, Any]) -> tuple[Image, list[Image]]:
        """Measure ours and every variant of the classic."""
        say(f"{name}: ours")
        image = load_ours(self._root, self._engine, self._dist, name, self._work)
        say(self._engine.check_health(image, PYTHON))
        titles = tuple(layer["title"] for layer in facts["layers"])
        stored = sum(layer["size"] for layer in facts["layers"])
        ours = self._meter.measure(image, "ours", titles=titles, stored=stored)
        distributions = [wheel["name"] for wheel in facts["wheels"]]
        return ours, [self._classic(name, distributions, variant) for variant in classic.VARIANTS]

    def _classic(self, name: str, distributions: Sequence[str], variant: classic.Variant) -> Image:
        say(f"{name}: {variant.title}")
        context = self._work / "contexts" / f"{name}-{variant.name}"
        classic.write_context(self._root, name, distributions, variant, context)
        image = classic.build(self._engine, variant, name, context, full=bases.FULL, secrets=self._secrets)
        say(self._engine.check_health(image, variant.python))
        return self._meter.measure(image, variant.title)


def run(root: Path, args: argparse.Namespace) -> int:
    """Do what the command line says."""
    names = [name for name in SERVICES if name in (args.service or SERVICES)]
    dist = args.dist
    if dist is None:
        say("./pants package src/brewblox::")
        subprocess.run([str(root / "pants"), "package", "src/brewblox::"], cwd=root, check=True)
        dist = root / "dist"
    dist = dist.resolve()
    packaged = {name: read_report(dist, name) for name in names}
    os.environ["DOCKER_BUILDKIT"] = "1"
    # A short path: a Unix socket's has at most 107 bytes.
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, running(Path(folder, "engine")) as engine:
        comparison = Comparison(root, engine, dist, Path(folder))
        comparison.import_bases(args.suite, (args.bases or Path(folder, "bases")).resolve())
        services = {name: comparison.service(name, facts) for name, facts in packaged.items()}
        version = engine.docker("version", "--format", "{{.Server.Version}}").strip()
    facts = {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "platform": PLATFORM,
        "base": f"Debian {args.suite}, its python3 on both sides",
        "engine": f"Docker {version}",
    }
    kinds = {
        name: {layer["title"]: kind(layer) for layer in entry["layers"]} for name, entry in packaged.items()
    }
    write(args.results or root / "bench" / "results", services, kinds, facts)
    over = [n for n, (ours, (theirs, *_)) in services.items() if ours.engine >= args.limit * theirs.engine]
    if over:
        say(f"not under {args.limit:.0%} of the classic, unpacked: {', '.join(over)}")
    return 1 if over else 0


def write(
    folder: Path,
    services: Mapping[str, report.Service],
    kinds: Mapping[str, Mapping[str, str]],
    facts: Mapping[str, str],
) -> None:
    """Write the two files of the report and print the readable one."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = folder / f"image-size-{facts['date']}"
    text = report.markdown(services, kinds, facts)
    stem.with_suffix(".md").write_text(text)
    stem.with_suffix(".json").write_text(json.dumps(report.document(services, facts), indent=1) + "\n")
    print(text, end="")


def main(root: Path) -> int:
    """Run the command and return its exit status.

    :param root: of the repository.
    """
    args = parser().parse_args()
    missing = [*missing_tools(), *([] if find_tool("mmdebstrap") else ["mmdebstrap"])]
    if missing:
        say(f"needs {', '.join(missing)}\n  -> as root: apt-get install docker.io mmdebstrap")
        return 2
    try:
        return run(root, args)
    except (EngineError, ValueError, subprocess.CalledProcessError) as error:
        say(str(error))
        return 2
