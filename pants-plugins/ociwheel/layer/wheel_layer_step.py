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
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ociwheel.documents import read_document
from ociwheel.elf.facts import machine_name
from ociwheel.errors import ErrorCollector, LayerError
from ociwheel.layer.arguments import CHECKED, add_common, cache_tag
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
    """Add the step's arguments."""
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
    with Spool(args.output / ".spool") as spool:
        left_out = LeftOut()
        installed = _install_all(wheels, spool, options, left_out)
        entries = merge(installed, args.prefer)
        options.venv.guard(entries)
        result = write_layer(
            entries,
            args.output,
            title=args.title,
            contents=sorted((w.content for w in installed), key=lambda c: c.name),
            compression=args.compression,
            left_out=left_out,
            packages=[wheel_row(w.content, w.entries) for w in installed],
            requires={w.content.origin: w.requires for w in installed},
            opened={w.content.origin: w.opened.to_json() for w in installed if w.opened},
        )
    facts = read_document(args.output / "layer-facts.json", "layer-facts")
    # The layer of a wheel for any platform serves images of all: of code for one, each image's audit tells.
    own = {w.content for file, w in zip(wheels, installed, strict=True) if not file.name.endswith("-any.whl")}
    origins = {content.origin for content in own}
    check_machine((elf for elf in facts["elf"] if elf["origin"] in origins), target.platform)
    return result


def _install_all(
    wheels: Sequence[Path], spool: Spool, options: Options, left_out: LeftOut
) -> list[InstalledWheel]:
    errors = ErrorCollector()
    installed = []
    for wheel in wheels:
        try:
            installed.append(install_wheel(wheel, spool, options, left_out))
        except LayerError as e:
            errors.add(e)
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
                )
            )
    errors.raise_if_any()
