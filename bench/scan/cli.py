"""The command `bench/scanned`: what syft lists of the layouts in `dist`, held to the SBOMs beside them."""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.support.inside import read_spdx
from tests.support.peers import peer

DESCRIPTION = """\
Scan each image that `package` wrote, platform by platform, with anchore's syft, and compare the Python
distributions and Debian packages that it lists with those of the SBOM: name, version, and architecture.
syft is built from the Go module proxy once per machine, which takes minutes.
"""
EPILOG = """\
exit status: 0 where all lists are equal; 1 where one is not; 2 where there is nothing to compare
"""
_SECONDS = 1200


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    result = argparse.ArgumentParser(
        "bench/scanned",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    result.add_argument(
        "dist", type=Path, nargs="?", default=Path("dist"), help="where the images are (default: dist)"
    )
    return result


def layouts(dist: Path) -> Iterator[tuple[Path, str, Mapping[str, Any]]]:
    """Yield each layout with each platform that it has an SBOM of."""
    for marker in sorted(dist.rglob("oci-layout")):
        layout = marker.parent
        for path in sorted(layout.with_name(f"{layout.name}.attestations").glob("*.spdx.json")):
            platform = path.name.removesuffix(".spdx.json").replace("-", "/")
            yield layout, platform, json.loads(path.read_bytes())


def scan(layout: Path, platform: str) -> tuple[set[tuple[str, ...]], set[tuple[str, ...]]]:
    """Return the distributions and the packages that syft lists of one platform."""
    with tempfile.TemporaryDirectory(prefix="bench-scanned-") as home:
        env = {"HOME": home, "PATH": os.environ["PATH"], "SYFT_CHECK_FOR_APP_UPDATE": "false"}
        argv = [
            peer("syft"),
            "scan",
            f"oci-dir:{layout}",
            "--platform",
            platform,
            "--output",
            "json",
            "--quiet",
        ]
        done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=_SECONDS, check=True)
    distributions, packages = set[tuple[str, ...]](), set[tuple[str, ...]]()
    for one in json.loads(done.stdout)["artifacts"]:
        if one["type"] == "python":
            distributions.add((re.sub(r"[-_.]+", "-", one["name"]).lower(), one["version"]))
        elif one["type"] == "deb":
            packages.add((one["name"], one["version"], one["metadata"]["architecture"]))
    return distributions, packages


def main(root: Path) -> int:
    """Run the command; return its exit status."""
    args = parser().parse_args()
    dist = args.dist if args.dist.is_absolute() else root / args.dist
    count, different = 0, 0
    for layout, platform, document in layouts(dist):
        distributions, packages = scan(layout, platform)
        listed = read_spdx(document)
        count += 1
        counts = f"{len(distributions)} distributions, {len(packages)} packages"
        print(f"{layout.relative_to(dist)}, {platform}: {counts}")
        for name, found, said in (
            ("distribution", distributions, set(listed.distributions)),
            ("package", packages, set(listed.packages)),
        ):
            for one in sorted(found ^ said):
                different += 1
                print(f"  {name} {' '.join(one)}: only {'syft' if one in found else 'the SBOM'} lists it")
    if not count:
        print(f"{dist}: has no layout with an SBOM beside it; package an image first", file=sys.stderr)
        return 2
    return 1 if different else 0
