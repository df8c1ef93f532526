"""The command line of ``bench/native_needed``."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.native.compare import (
    SDISTS,
    NativeWorkshop,
    build_cross,
    build_native,
    fetch,
    taken_from,
    try_import,
)
from bench.table.workshop import say


def measure(workshop: NativeWorkshop, names: Sequence[str], platforms: Sequence[str]) -> dict[str, Any]:
    """Return what each distribution's modules need, natively and by platform, and what does not import.

    Where a build for this machine needs another library than the native one, ``taken`` has the symbols that
    it takes from it: what one compiler calls and the other expands in place.
    """
    chosen = tuple(sdist for sdist in SDISTS if not names or sdist.name in names)
    fetch(workshop, chosen)
    result: dict[str, Any] = {}
    for sdist in chosen:
        rows: dict[str, Any] = {"native": build_native(workshop, sdist)}
        for platform in platforms or workshop.debian["platforms"]:
            cross = build_cross(workshop, sdist, platform)
            rows[platform] = cross.needed
            if platform == workshop.host:
                rows["taken"] = {
                    module: {library: taken_from(workshop, cross, module, library) for library in more}
                    for module, needed in cross.needed.items()
                    if (more := sorted({*needed} - {*rows["native"].get(module, ())}))
                }
            if problem := try_import(workshop, sdist, cross, platform):
                rows.setdefault("problems", {})[platform] = problem
        result[f"{sdist.name} {sdist.version}"] = rows
    return result


def differences(result: dict[str, Any], host: str) -> list[str]:
    """Return, in words, where a build for this machine needs other libraries than the native one."""
    found = []
    for name, rows in result.items():
        if host not in rows:
            continue
        for module in sorted({*rows["native"], *rows[host]}):
            ours, native = rows[host].get(module), rows["native"].get(module)
            if ours != native:
                taken = rows["taken"].get(module, {})
                why = "".join(f"; {', '.join(s) or 'nothing'} of {library}" for library, s in taken.items())
                found.append(f"{name}: {module} needs {ours}, built natively {native}{why}")
        found += [f"{name}, {platform}: {text}" for platform, text in rows.get("problems", {}).items()]
    return found


def _compiler() -> str:
    done = subprocess.run(["/usr/bin/gcc", "--version"], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[0]


def main(root: Path) -> int:
    """Compare, write the result, and return 1 where anything differs."""
    parser = argparse.ArgumentParser(
        prog="bench/native_needed",
        description="Build distributions for all platforms, and natively with Debian's gcc, and compare "
        "which libraries their modules need. Needs g++, python3-dev, python3-venv and qemu-user-static.",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="distributions; by default, all")
    parser.add_argument("--platform", action="append", metavar="OCI", help="these platforms; by default, all")
    parser.add_argument("--work", type=Path, required=True, help="a folder to work in, kept")
    parser.add_argument("--result", type=Path, help="the JSON file to write")
    args = parser.parse_args()
    if shutil.which("g++") is None:
        raise SystemExit("bench/native_needed: needs g++\n  -> as root: apt-get install g++ python3-dev")
    workshop = NativeWorkshop(root, args.work.absolute())
    result = measure(workshop, args.names, args.platform or ())
    found = differences(result, workshop.host)
    document = {"compiler": _compiler(), "machine": os.uname().machine, "distributions": result}
    text = json.dumps(document, indent=1, sort_keys=True) + "\n"
    if args.result:
        args.result.write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)
    for line in found:
        say(line)
    say(f"{len(result)} distributions, {len(found)} differences")
    return 1 if found else 0
