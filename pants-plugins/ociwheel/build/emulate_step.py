"""Builds one wheel from an sdist in a container of its own platform, with its own gcc, without a network.

For what cannot be cross-compiled. Needs docker or podman, and QEMU where the platform is not the machine's.
The image is loaded for this build and removed after it. Settings are those of the build step.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import Any

from ociwheel.build import emulated
from ociwheel.build.sdist_settings import Settings
from ociwheel.containers.build_session import session, state_folder
from ociwheel.containers.engine import engine_for_builds
from ociwheel.documents import document
from ociwheel.target import Target


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this step's arguments."""
    add = parser.add_argument
    add("--sdist", type=Path, required=True, metavar="FILE", help="the .tar.gz or .zip")
    add("--target", type=Path, required=True, metavar="FILE", help="target document")
    add("--requirements", type=Path, required=True, metavar="DIR", help="wheels of the build requirements")
    add("--image", type=Path, required=True, metavar="DIR", help="what the container step made")
    add("--settings", type=Path, required=True, metavar="FILE", help="settings of this sdist (JSON)")
    add("--output", type=Path, required=True, metavar="DIR", help="folder to write the wheel to")


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Build the wheel."""
    settings = Settings.read(args.settings)
    inputs = emulated.Inputs(
        sdist=args.sdist,
        requirements=tuple(sorted(args.requirements.glob("*.whl"))),
        target_file=args.target,
        settings_file=args.settings,
    )
    machine = Path(os.environ["OCIWHEEL_MACHINE"]) if "OCIWHEEL_MACHINE" in os.environ else None
    target = Target.read(args.target)
    engine = engine_for_builds(machine, f"{settings.name} {settings.version} for {target.platform.oci}")
    args.output.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".emulate-") as work,
        session(engine, state_folder(machine)) as opened,
    ):
        opened.load(args.image, Path(work))
        wheel = emulated.build(opened, inputs, settings, Path(work), args.output.absolute())
    return document("build", wheel.to_json())
