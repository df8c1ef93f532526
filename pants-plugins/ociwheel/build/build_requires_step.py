"""Tells what the build of an sdist requires beside the wheels at hand, without a network.

The document has ``missing``: what ``pyproject.toml`` requires and no wheel satisfies; once all of that is
there, what the backend adds when its hook is asked, as a build would run it: with the headers, pkg-config
and compiler of the target, and the same settings. A hook that fails leaves ``failed``, the reason, and
``tail``, the end of what it said; then only ``pyproject.toml`` counts. ``crates`` are those that
``Cargo.lock`` names and the sdist does not bring.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import Any

from ociwheel.build.hook_arguments import add_inputs, inputs_of
from ociwheel.build.requirements import requirements
from ociwheel.build.sdist_settings import Settings
from ociwheel.documents import document


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this step's arguments."""
    add_inputs(parser)


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Ask."""
    settings = Settings.read(args.settings)
    inputs = inputs_of(args)
    umask = os.umask(0o022)
    try:
        with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".requires-") as work:
            found = requirements(inputs, settings, Path(work).absolute())
    finally:
        os.umask(umask)
    return document(
        "build-requires",
        {
            "missing": list(found.missing),
            "failed": found.failed,
            "tail": list(found.tail),
            "isolation": found.isolation,
            "crates": [crate.to_json() for crate in found.crates],
        },
    )
