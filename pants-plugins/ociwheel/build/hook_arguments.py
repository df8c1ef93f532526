"""Arguments of steps that run hooks against a target: the content that these see."""

from __future__ import annotations

import argparse
from pathlib import Path

from ociwheel.build.builder import Inputs
from ociwheel.build.isolation_arguments import add_isolation, isolation_of
from ociwheel.build.wrappers import Toolchain
from ociwheel.target import Target


def add_inputs(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
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
    add("--tools", type=Path, metavar="DIR", help="what the build-programs step made: make, cargo")
    add("--gcc", type=Path, metavar="DIR", help="what the gcc step made, for builds whose compiler it is")
    add("--host-sysroot", type=Path, metavar="DIR", help="libc and gcc's runtime of this machine, for Rust")
    add("--crates", type=Path, metavar="DIR", help="what the fetch-crates step made, for Rust")
    add("--settings", type=Path, required=True, metavar="FILE", help="settings of this sdist (JSON)")
    add_isolation(parser)


def inputs_of(args: argparse.Namespace) -> Inputs:
    """Return what the arguments name."""
    target = Target.read(args.target)
    return Inputs(
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
        crates=args.crates.absolute() if args.crates else None,
        isolation=isolation_of(args),
    )
