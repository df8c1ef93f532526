"""Arguments of steps that run hooks: how these are kept apart from the machine, what they may take."""

from __future__ import annotations

import argparse

from ociwheel.build.isolation import AUTO, MODES, Isolation
from ociwheel.build.resource_limits import BuildLimits


def add_isolation(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    default = BuildLimits()
    add = parser.add_argument
    add(
        "--isolation",
        choices=MODES,
        default=AUTO,
        help="required: an error where a hook can have no root of its own (default: auto, the best there is)",
    )
    add("--time-limit", type=_number, default=default.seconds, metavar="SECONDS", help="for each hook")
    add(
        "--memory-limit",
        type=_number,
        default=default.memory,
        metavar="MIB",
        help="for a hook with all that it starts (default: three quarters of the machine's)",
    )
    add("--output-limit", type=_number, default=default.output, metavar="MIB", help="of output that is kept")


def _number(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return value


def isolation_of(args: argparse.Namespace) -> Isolation:
    """Return what the arguments say."""
    return Isolation(args.isolation, BuildLimits(args.time_limit, args.memory_limit, args.output_limit))
