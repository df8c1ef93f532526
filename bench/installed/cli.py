"""The command `bench/fidelity`: are images what an installer makes, and does the audit say the truth?"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.installed import images
from bench.installed.compare import compare
from bench.installed.imports import import_all
from bench.installed.report import kinds, page
from tests.integration.repository import Caches, Repository, copy_plugin, make_repository

DESCRIPTION = """\
Lock lists of distributions with uv, install each lock into a virtual environment, package it as an image,
and compare the two file by file; then import every top-level module in the image's own root. Needs the
package index, a Debian mirror, bubblewrap, and some gigabytes of disk.
"""
SETS = ("most-used", "named")
_ORIGIN = re.compile(r"(?:^  |files? of )([\w.-]+) [\w.+!]+(?:: /|,)", re.MULTILINE)
"""A distribution in a message of the audit."""


def parser(root: Path) -> argparse.ArgumentParser:
    """Return the command line."""
    result = argparse.ArgumentParser("bench/fidelity", description=DESCRIPTION)
    result.add_argument("--work", type=Path, metavar="DIR", help="default: a temporary folder")
    result.add_argument("--set", action="append", dest="sets", metavar="NAME", help=f"of {', '.join(SETS)}")
    result.add_argument("--json", type=Path, metavar="FILE", help="what was found, for programs")
    result.add_argument("--page", type=Path, default=root / "docs/reference/fidelity.md", metavar="FILE")
    return result


def lock(names: Path, to: Path) -> Path:
    """Lock the newest versions of distributions that work together, wheels alone."""
    if not to.exists():
        uv = Path(sys.executable).with_name("uv")
        options = ["--only-binary", ":all:", "--generate-hashes", "--no-header", "--no-annotate", "--quiet"]
        where = ["--python-version", "3.11.2", "--python-platform", "x86_64-manylinux_2_36"]
        subprocess.run(
            [uv, "pip", "compile", *options, *where, "-o", to, names], check=True, stdout=subprocess.DEVNULL
        )
    return to


def examine(repository: Repository, name: str, locked: Path, work: Path) -> dict[str, Any]:
    """Compare one set, and import its modules."""
    _say(f"{name}: uv pip install")
    venv = images.install(locked, work / f"{name}.venv")
    _say(f"{name}: package")
    packaged = images.package(repository, name, locked.read_text(encoding="utf-8"), work / f"{name}.root")
    (platform,) = packaged.report["platforms"]
    _say(f"{name}: compare")
    compared = compare(packaged.root / "app", venv)
    _say(f"{name}: import")
    rows = kinds(import_all(packaged.root, images.MINOR), packaged.refused)
    for row in rows:
        if row["kind"] == "otherwise":
            command = [str(venv / "bin/python"), "-c", f"import {row['module']}"]
            row["venv"] = subprocess.run(command, capture_output=True, check=False, cwd=work).returncode != 0
    faulty = {row["distribution"].lower() for row in rows if row["kind"] != "imported"}
    named = {
        match.lower().replace("-", "_") for match in re.findall(r"([\w.-]+) [\w.+!]+: /", packaged.refused)
    }
    return {
        "distributions": sorted(f"{wheel['name']} {wheel['version']}" for wheel in platform["wheels"]),
        "files": compared.files,
        "equal": compared.equal,
        "by_rule": dict(sorted(compared.by_rule.items())),
        "findings": compared.findings,
        "imports": rows,
        "refused": packaged.refused.splitlines(),
        "refused_but_imported": sorted(named - faulty),
        "notes": platform["notes"],
    }


def main(root: Path) -> int:
    """Run the command; return its exit status, 1 where a difference belongs to no rule."""
    args = parser(root).parse_args()
    work = (args.work or Path(tempfile.mkdtemp(prefix="fidelity-"))).absolute()
    work.mkdir(parents=True, exist_ok=True)
    names = args.sets or list(SETS)
    shutil.rmtree(work / "repository", ignore_errors=True)
    plugin = copy_plugin(work / "plugin") if not (work / "plugin").exists() else work / "plugin"
    repository = make_repository(work / "repository", Caches(work / "caches"), plugin=plugin)
    images.write_resolves(repository, names)
    found: dict[str, Any] = {"date": f"{dt.datetime.now(dt.UTC):%Y-%m-%d}", "sets": {}}
    for name in names:
        locked = lock(root / f"bench/installed/{name}.txt", work / f"{name}.lock")
        found["sets"][name] = examine(repository, name, locked, work)
        if args.json:
            args.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    args.page.write_text(page(found), encoding="utf-8")
    return 1 if any(one["findings"] for one in found["sets"].values()) else 0


def _say(text: str) -> None:
    print(f"bench/fidelity: {text}", file=sys.stderr, flush=True)
