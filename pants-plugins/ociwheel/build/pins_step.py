"""Choose the wheels of build requirements that builds install, from a build lock."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ociwheel.build.build_lock import BuildLock
from ociwheel.build.pins import Place, SdistKey, crates_of, wheels_of
from ociwheel.documents import document, read_value
from ociwheel.errors import ErrorCollector, LockError
from ociwheel.remedies import Remedy
from ociwheel.target import Target


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the step's arguments."""
    parser.add_argument(
        "--lock", type=Path, required=True, metavar="FILE", help="build lock; one that is not there is empty"
    )
    parser.add_argument(
        "--request",
        type=Path,
        required=True,
        metavar="FILE",
        help="JSON: sdists (objects with name, version, sha256)",
    )
    parser.add_argument(
        "--target", type=Path, required=True, metavar="FILE", help="target document of what runs the builds"
    )
    parser.add_argument(
        "--macos", default="", metavar="MACHINE", help="builds run on a Mac with the target's Python (arm64)"
    )


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Choose the wheels.

    :raises LockError: all that is not locked or has no wheel, together.
    """
    request = read_value(args.request)
    request.only("sdists")
    place, where = Place(Target.read(args.target), args.macos), str(args.lock)
    lock, errors, rows = _lock(args.lock), ErrorCollector(), []
    for sdist in sorted(map(SdistKey.parse, request.at("sdists").items())):
        try:
            wheels = wheels_of(lock, sdist, place, where)
            crates = crates_of(lock, sdist, place.target.python_minor, where)
        except LockError as e:
            errors.add(e)
            continue
        rows.append({"sdist": str(sdist), "wheels": wheels, "crates": crates})
    errors.raise_if_any()
    return document("build-pins", {"sdists": rows})


def _lock(path: Path) -> BuildLock:
    if not path.exists():
        return BuildLock()
    hint = Remedy("relock-build-requirements", {"resolve": "<resolve>"})
    return BuildLock.read(read_value(path, LockError, hint=hint))
