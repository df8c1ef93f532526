"""Check that what an image imports and starts finds its loader, libraries and symbol versions there.

An error is a fault of a file that is started, or that one of these needs (:mod:`ociwheel.elf.reached`). One
of any other file is a note, unless the audit is strict.

The request is a JSON object: platform, facts (paths of layer-facts.json files, bottom layer
first), accept (globs of faults to let pass: of a file's absolute path, or, without a slash, of a
library's name), lock_packages (names of the base's packages), libc (glibc or musl), trusted (origins of
files whose own faults are not looked for: those of somebody else's image), strict (every fault is an error),
library_path (folders of the variable LD_LIBRARY_PATH).
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ociwheel.documents import document, read_document, read_json
from ociwheel.elf.audit import Fault, Report, audit, glibc_of
from ociwheel.elf.audit_report import detail_lines, note_lines, opened_lines
from ociwheel.elf.debian_libraries import LibraryTable, release_of, table
from ociwheel.elf.reached import Opened, merge_opened
from ociwheel.elf.tree import ImageTree
from ociwheel.errors import AuditError, UsageError
from ociwheel.platforms import platform
from ociwheel.remedies import Remedy


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the step's arguments."""
    parser.add_argument("--request", type=Path, required=True, metavar="FILE", help="the request")


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Audit the image.

    :raises AuditError: all faults together.
    """
    request = read_json(args.request)
    if not isinstance(request, dict) or not isinstance(request.get("facts"), list):
        raise UsageError("expected an object with a list of facts", where=str(args.request))
    found = examine(request)
    report = found.report
    if report.faults:
        raise audit_error(
            report.faults,
            found.platform,
            of_registry=bool(request.get("trusted")),
            of_debian=found.libraries.of_image,
        )
    return document(
        "audit",
        {
            "elf_files": report.elf_files,
            "accepted": [f.render() for f in report.accepted],
            "unused_packages": list(report.unused_packages),
            "not_loadable": [f.render() for f in report.noted],
            "notes": [
                *note_lines(report.noted),
                *opened_lines(found.opened, found.tree, found.libraries),
            ],
        },
    )


@dataclass(frozen=True)
class Examined:
    """What an audit found, and what it looked at."""

    report: Report
    platform: str
    tree: ImageTree
    opened: Opened
    libraries: LibraryTable


def examine(request: Mapping[str, Any]) -> Examined:
    """Audit the image of a request.

    :raises UsageError: the request names no platform, or facts that are none.
    """
    target = platform(str(request.get("platform")))
    layers = [read_document(Path(path), "layer-facts") for path in request["facts"]]
    tree = ImageTree(layers)
    opened = merge_opened([layer["opened"] for layer in layers])
    libc = str(request.get("libc") or "glibc")
    libraries = replace(table(release_of(glibc_of(tree)).suite), of_image=libc == "glibc")
    report = audit(
        tree,
        target,
        accept=request.get("accept") or [],
        packages=request.get("lock_packages") or [],
        libraries=libraries,
        libc=libc,
        trusted=frozenset(request.get("trusted") or ()),
        opened=opened,
        strict=bool(request.get("strict")),
        library_path=request.get("library_path") or [],
    )
    return Examined(report, target.oci, tree, opened, libraries)


def audit_error(
    faults: tuple[Fault, ...], oci: str, *, of_registry: bool = False, of_debian: bool = True
) -> AuditError:
    """Return one error for all faults, with the lines that would mend the base.

    :param of_registry: the base is somebody else's image, whose packages nobody here chooses.
    :param of_debian: it may be of Debian, whose names of packages are known.
    """
    packages = sorted({f.package for f in faults if f.package})
    files = len({f.path for f in faults})
    missing = len({f.library for f in faults if f.library})
    lack = f", for {missing} libraries" if missing > 1 and files > 1 else ""
    what = f"{files} file{'s' if files > 1 else ''} of the image for {oci} cannot be loaded{lack}:"
    remedy = Remedy.text(
        "choose another version of the wheel, build it from its sdist, or name the file or the library in "
        "accept_missing of the image"
    )
    lacking = sorted({f.library for f in faults if f.package})
    if packages and not of_debian:
        search = next((f"so:{name}" for name in lacking if ".so." in name), lacking[0])
        remedy = Remedy("use-image-with-libraries", {"libraries": ", ".join(lacking), "search": search})
    elif packages and of_registry:
        remedy = Remedy("use-image-with-packages", {"packages": ", ".join(packages)})
    elif packages:
        remedy = Remedy("add-runtime-packages", {"packages": ", ".join(f'"{name}"' for name in packages)})
    return AuditError(what, details=detail_lines(faults), hint=remedy)
