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

from ociwheel.build.builder import CxxNeededError, Inputs, build
from ociwheel.build.isolation_arguments import add_isolation, isolation_of
from ociwheel.build.sdist_settings import Settings
from ociwheel.build.wrappers import Toolchain
from ociwheel.documents import document, read_json
from ociwheel.target import Target


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this step's arguments."""
    add = parser.add_argument
    add("--sdist", type=Path, required=True, metavar="FILE", help="the .tar.gz or .zip")
    add("--target", type=Path, required=True, metavar="FILE", help="target document")
    add("--requirements", type=Path, required=True, metavar="DIR", help="wheels of the build requirements")
    add("--sysroot", type=Path, required=True, metavar="DIR", help="headers and libraries of the target")
    add("--zig", type=Path, required=True, metavar="DIR", help="what the zig step made")
    add(
        "--zig-runtime",
        type=Path,
        metavar="DIR",
        help="what the zig-libc step made, for a sysroot without libc and gcc's runtime",
    )
    add(
        "--tools",
        type=Path,
        metavar="DIR",
        help="what the build-programs step made: make, and cargo for Rust",
    )
    add("--gcc", type=Path, metavar="DIR", help="what the gcc step made, for builds whose compiler it is")
    add("--host-sysroot", type=Path, metavar="DIR", help="libc and gcc's runtime of this machine, for Rust")
    add("--settings", type=Path, required=True, metavar="FILE", help="settings of this sdist (JSON)")
    add("--output", type=Path, required=True, metavar="DIR", help="folder to write the wheel to")
    add_isolation(parser)


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Build the wheel."""
    target = Target.read(args.target)
    settings = Settings.from_json(read_json(args.settings), str(args.settings))
    inputs = Inputs(
        sdist=args.sdist.absolute(),
        requirements=tuple(sorted(args.requirements.absolute().glob("*.whl"))),
        toolchain=Toolchain(
            args.zig.absolute(),
            args.sysroot.absolute(),
            target,
            args.zig_runtime.absolute() if args.zig_runtime else None,
        ),
        tools=args.tools.absolute() if args.tools else None,
        gcc=args.gcc.absolute() if args.gcc else None,
        host_sysroot=args.host_sysroot.absolute() if args.host_sysroot else None,
        target=args.target.absolute(),
        isolation=isolation_of(args),
    )
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
