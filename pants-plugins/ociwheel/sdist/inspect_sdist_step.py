"""Tell whether an sdist has code to compile, by the rule that `build` checks its wheel with."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

from ociwheel.documents import document
from ociwheel.sdist.unpack import build_system, native_sources, unpack


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the step's arguments."""
    parser.add_argument("--sdist", required=True, type=Path, metavar="FILE", help="the source distribution")


def inspect(sdist: Path) -> dict[str, Any]:
    """Return what is known of an sdist without running its code.

    :raises BuildError: it cannot be unpacked, or its ``pyproject.toml`` cannot be read.
    """
    with tempfile.TemporaryDirectory(prefix="ociwheel-") as folder:
        source = unpack(sdist, Path(folder) / "src")
        system = build_system(source)
        sources = native_sources(source)
    return {
        "filename": sdist.name,
        "size": sdist.stat().st_size,
        "backend": system.backend,
        "native": bool(sources) or system.cargo,
        "rust": system.cargo,
        "sources": len(sources),
    }


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Look inside."""
    return document("sdist", inspect(args.sdist))
