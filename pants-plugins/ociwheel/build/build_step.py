"""Builds one wheel from an sdist, for a platform that need not be this one, without a network.

The wheel in the output folder depends on the arguments' content only: not on where, when and by whom it is
built. Settings (JSON): name, version, env (variables of the hooks), config_settings (PEP 517), pure (the
project is pure Python on purpose), compiler (gcc in place of clang), resolve and base (for messages).

It is linked with the C and C++ runtime of its sysroot, which is that of the base's gcc. For a builder that
has none, as images of Alpine, zig's is compiled. A build that then turns out to hold C++ makes no wheel
without libc++: the document holds ``needs``, which is ``c++``, and no more. Compiling libc++ takes longer
than most builds, and most have no use for it.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import Any

from ociwheel.build.builder import CxxNeededError, build
from ociwheel.build.hook_arguments import add_inputs, inputs_of
from ociwheel.build.sdist_settings import Settings
from ociwheel.documents import document


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this step's arguments."""
    add_inputs(parser)
    parser.add_argument(
        "--output", type=Path, required=True, metavar="DIR", help="folder to write the wheel to"
    )


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Build the wheel."""
    settings = Settings.read(args.settings)
    inputs = inputs_of(args)
    args.output.mkdir(parents=True, exist_ok=True)
    output = args.output.absolute()
    umask = os.umask(0o022)
    try:
        with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".build-") as work:
            built = build(inputs, settings, Path(work).absolute(), output)
    except CxxNeededError:
        return document("build", {"needs": "c++"})
    finally:
        os.umask(umask)
    return document("build", {**built.wheel.to_json(), "isolation": built.isolation})
