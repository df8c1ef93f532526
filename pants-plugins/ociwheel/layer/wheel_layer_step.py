"""Install wheels into one layer.

Below --prefix, a virtual environment: modules in lib/pythonX.Y/site-packages, scripts in bin with
the prefix's own python as interpreter, data files in the prefix. What a wheel has and the layer has not
(C headers for an include folder, debug information of ELF files, what --exclude names) is counted in
``left_out``. RECORD lists what the layer holds: excluded files are not in it, bytecode is, and hashes are
of files as they are here.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ociwheel.documents import read_document
from ociwheel.elf.facts import machine_name
from ociwheel.errors import ErrorCollector, LayerError
from ociwheel.formats.entries import Entry
from ociwheel.layer.arguments import CHECKED, add_common, cache_tag
from ociwheel.layer.kept import KeptWheels, install_once
from ociwheel.layer.left_out import LeftOut
from ociwheel.layer.packages import wheel_row
from ociwheel.layer.spool import Spool
from ociwheel.layer.venv import Venv
from ociwheel.layer.wheels import InstalledWheel, Options, install_wheel, merge
from ociwheel.layer.writer import write_layer
from ociwheel.notes import tell
from ociwheel.platforms import Platform
from ociwheel.target import Target

_EXTENSION_MODULE = re.compile(r"\.(cpython-\w+(-[\w-]+)?|abi3)\.so$")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the step's arguments, which ``wheel-layers`` has too."""
    parser.add_argument("--wheels", type=Path, required=True, metavar="DIR", help="folder of .whl files")
    parser.add_argument("--title", required=True, help="what `docker history` shows for the layer")
    parser.add_argument(
        "--strip",
        choices=("debug", "none"),
        default="debug",
        help="leave the debug information (.debug_* sections) out of ELF files (default: debug)",
    )
    parser.add_argument(
        "--prefer",
        action="append",
        default=[],
        metavar="NAME",
        help="distribution whose file is taken where another has a different one of the same path; "
        "may be repeated, first first",
    )
    add_common(parser)


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Write the layer and return its document."""
    with Spool(args.output / ".spool") as spool:
        installation = install_wheels(args, spool)
        result = write_wheels(
            installation, installation.entries, args.output, title=args.title, compression=args.compression
        )
    installation.check_machine([args.output])
    return result


@dataclass(frozen=True)
class Installation:
    """Installed wheels, before they are written."""

    wheels: Sequence[InstalledWheel]
    entries: Sequence[Entry]
    left_out: LeftOut
    native: frozenset[str]
    """Origins of wheels for one platform."""
    platform: Platform

    def check_machine(self, layers: Iterable[Path]) -> None:
        """Check that the files of layers are code for the platform.

        :param layers: folders with a ``layer-facts.json``.
        :raises LayerError: naming every wheel and file that are not.
        """
        facts = (read_document(folder / "layer-facts.json", "layer-facts") for folder in layers)
        found = (elf for one in facts for elf in one["elf"])
        # The layer of a wheel for any platform serves images of all: of code for one, each audit tells.
        check_machine((elf for elf in found if elf["origin"] in self.native), self.platform)


def install_wheels(args: argparse.Namespace, spool: Spool) -> Installation:
    """Install the wheels that a step was given.

    :raises LayerError: what is wrong with them.
    """
    target = Target.read(args.target)
    options = Options(
        target,
        Venv.of(target, args.prefix),
        args.exclude,
        cache_tag(args, target),
        checked=args.bytecode == CHECKED,
        strip=args.strip == "debug",
    )
    wheels = sorted(p for p in args.wheels.iterdir() if p.name.endswith(".whl"))
    if not wheels:
        raise LayerError("there is no wheel in it", where=str(args.wheels))
    left_out = LeftOut()
    installed = _install_all(wheels, spool, options, left_out)
    entries = merge(installed, args.prefer)
    options.venv.guard(entries)
    native = {
        w.content.origin
        for file, w in zip(wheels, installed, strict=True)
        if not file.name.endswith("-any.whl")
    }
    return Installation(installed, entries, left_out, frozenset(native), target.platform)


def write_wheels(
    installation: Installation,
    entries: Sequence[Entry],
    output: Path,
    *,
    title: str,
    compression: str,
    told: Container[str] = (),
) -> dict[str, Any]:
    """Write a layer of installed wheels and return its document.

    :param entries: all, or the part that this layer holds.
    :param told: origins that another layer has already told what they require, open and say of themselves,
        and what of them is left out.
    """
    origins = {entry.origin for entry in entries}
    here = [w for w in installation.wheels if w.content.origin in origins]
    new = [w for w in here if w.content.origin not in told]
    return write_layer(
        entries,
        output,
        title=title,
        contents=sorted((w.content for w in here), key=lambda c: c.name),
        compression=compression,
        left_out=installation.left_out.of({w.content.origin for w in new}),
        packages=[wheel_row(w.content, w.entries) for w in new],
        requires={w.content.origin: w.requires for w in new},
        opened={w.content.origin: w.opened.to_json() for w in new if w.opened},
    )


def _install_all(
    wheels: Sequence[Path], spool: Spool, options: Options, left_out: LeftOut
) -> list[InstalledWheel]:
    errors = ErrorCollector()
    installed = []
    # The layer of one wheel is made again when that one changes.
    kept = KeptWheels.of_environment() if len(wheels) > 1 else None
    for wheel in wheels:
        try:
            if kept:
                installed.append(install_once(wheel, spool, options, left_out, kept))
            else:
                installed.append(install_wheel(wheel, spool, options, left_out))
        except LayerError as e:
            errors.add(e)
    if kept:
        spool.flush()
        kept.tidy()
    errors.raise_if_any()
    for note in (note for wheel in installed for note in wheel.notes):
        tell(note)
    return installed


def check_machine(elf: Iterable[Mapping[str, Any]], platform: Platform) -> None:
    """Check that wheels hold code for the platform.

    An extension module must be for it. Other ELF files may be for another machine (a debugger's
    helpers for both word sizes), as long as the wheel has some for this one; the audit looks at
    each of them.

    :raises LayerError: naming every wheel and file that are not.
    """
    wanted = (platform.elf_machine, platform.elf_class)
    by_origin: dict[str, list[Mapping[str, Any]]] = {}
    for facts in elf:
        by_origin.setdefault(facts["origin"], []).append(facts)
    errors = ErrorCollector()
    for origin, files in sorted(by_origin.items()):
        wrong = [f for f in files if (f["machine"], f["class"]) != wanted]
        if len(wrong) < len(files):
            wrong = [f for f in wrong if _EXTENSION_MODULE.search(f["path"])]
        for facts in wrong:
            errors.add(
                LayerError(
                    f"/{facts['path']} is code for {machine_name(facts['machine'], facts['class'])}, "
                    f"not for {platform.oci}",
                    where=origin,
                    hint="choose another version of the wheel, or build it from its sdist",
                )
            )
    errors.raise_if_any()
