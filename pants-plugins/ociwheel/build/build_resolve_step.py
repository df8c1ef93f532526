"""Finds the wheels that satisfy what the build of one sdist requires, and those that its build installs here.

Request (JSON): where (``name==version``), required, constraints and before (lists of requirements; what was
locked before stays where it still fits), emulated (platforms in whose containers it is built, for which
wheels are found too). Needs the network and the toolbox with pip; no code of others runs.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

from ociwheel.build.build_lock import BuildEnvironment, BuildLock
from ociwheel.build.pins import Place, SdistKey, wheels_of
from ociwheel.build.resolution import Question, Resolver
from ociwheel.documents import document, read_value
from ociwheel.errors import UsageError
from ociwheel.fetch.index import IndexClient
from ociwheel.platforms import platform
from ociwheel.reading import Value
from ociwheel.target import Target
from ociwheel.transport import settings

_NO_HASH = "0" * 64


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this step's arguments."""
    add = parser.add_argument
    add("--request", type=Path, required=True, metavar="FILE", help="what to satisfy (JSON)")
    add("--target", type=Path, required=True, metavar="FILE", help="target document of what runs the build")
    add("--macos", default="", metavar="MACHINE", help="it runs on a Mac with the target's Python (arm64)")


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Resolve."""
    target = Target.read(args.target)
    running = f"{sys.version_info[0]}.{sys.version_info[1]}"
    if target.python_minor != running:
        raise UsageError(f"the target has Python {target.python_minor}, but {running} runs this step")
    request = read_value(args.request)
    emulated = request.optional("emulated", Value.texts) or ()
    question = Question(
        where=request.at("where").text(),
        required=request.at("required").texts(),
        constraints=request.optional("constraints", Value.texts) or (),
        before=request.optional("before", Value.texts) or (),
        machines=tuple(sorted({platform(name).machine for name in emulated})),
    )
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".resolve-") as work:
        found = Resolver(IndexClient(settings.load()), Path(work).absolute(), running).resolve(question)
    name, _, version = question.where.partition("==")
    row = BuildEnvironment(question.where, _NO_HASH, running, found.pins)
    lock, sdist = BuildLock((row,), found.files), SdistKey(name, version, _NO_HASH)
    return document(
        "build-resolve",
        {
            "pins": [str(pin) for pin in found.pins],
            "files": {pin: list(rows) for pin, rows in found.files.items()},
            "wheels": wheels_of(lock, sdist, Place(target, args.macos), question.where),
        },
    )
