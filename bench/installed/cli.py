"""The command `bench/fidelity`: are images what an installer makes, and does the audit say the truth?"""

from __future__ import annotations

import argparse
import dataclasses
import datetime as dt
import json
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from bench.installed import images
from bench.installed.compare import Comparison, compare
from bench.installed.imports import import_all
from bench.installed.loads import load_all
from bench.installed.report import kinds, page
from bench.installed.sets import SETS
from tests.integration.repository import Caches, Repository, copy_plugin, make_repository

DESCRIPTION = """\
Lock lists of distributions with uv, install each lock into a virtual environment, package it as an image,
and compare the two file by file; then load every extension module and import every top-level module in the
image's own root. Needs the package index, a Debian mirror, bubblewrap, and disk: torch takes 20 GB.
"""
RESULTS = "bench/results/fidelity.json"


def parser(root: Path) -> argparse.ArgumentParser:
    """Return the command line."""
    result = argparse.ArgumentParser("bench/fidelity", description=DESCRIPTION)
    result.add_argument("--work", type=Path, metavar="DIR", help="default: a temporary folder")
    names = f"of {', '.join(SETS)}"
    result.add_argument("--set", action="append", dest="sets", metavar="NAME", choices=SETS, help=names)
    kept = "what was found, for programs; sets that it has and that are not examined now stay"
    result.add_argument("--json", type=Path, default=root / RESULTS, metavar="FILE", help=kept)
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
    """Compare one set, import its modules and load its files; what was installed is deleted after it."""
    how = SETS[name]
    venv = None
    if how.compared:
        _say(f"{name}: uv pip install")
        venv = images.install(locked, work / f"{name}.venv", how.prefer)
    _say(f"{name}: package")
    text = locked.read_text(encoding="utf-8")
    packaged = images.package(
        repository, name, text, work / f"{name}.root", how.prefer, large=not how.compared
    )
    (platform,) = packaged.report["platforms"]
    compared = Comparison()
    if venv is not None:
        _say(f"{name}: compare")
        compared = compare(packaged.root / "app", venv)
    _say(f"{name}: load")
    loaded = load_all(packaged.root, images.MINOR, packaged.audit)
    _say(f"{name}: import")
    rows = kinds(import_all(packaged.root, images.MINOR), packaged.refused, platform["notes"])
    for row in rows:
        if row["kind"] == "otherwise" and venv is not None:
            command = [str(venv / "bin/python"), "-c", f"import {row['module']}"]
            row["venv"] = subprocess.run(command, capture_output=True, check=False, cwd=work).returncode != 0
    for folder in (packaged.root, venv, repository.root / f"dist/src.{name}"):
        if folder is not None:
            shutil.rmtree(folder)
    return {
        "date": f"{dt.datetime.now(dt.UTC):%Y-%m-%d}",
        "distributions": sorted(f"{wheel['name']} {wheel['version']}" for wheel in platform["wheels"]),
        "compared": how.compared,
        "files": compared.files,
        "equal": compared.equal,
        "by_rule": dict(sorted(compared.by_rule.items())),
        "findings": compared.findings,
        "imports": rows,
        "loads": dict(sorted(Counter(one.kind for one in loaded).items())),
        "not_loaded": [{**vars(one), "kind": one.kind} for one in loaded if one.said or one.refused],
        "refused": packaged.refused.splitlines(),
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
    # Its caches are deleted while it is examined.
    apart = dataclasses.replace(repository, caches=Caches(work / "large.caches"))
    results = json.loads(args.json.read_bytes()) if args.json.exists() else {"sets": {}}
    for name in names:
        locked = lock(root / f"bench/installed/{name}.txt", work / f"{name}.lock")
        results["sets"][name] = examine(repository if SETS[name].compared else apart, name, locked, work)
        results["sets"] = {known: results["sets"][known] for known in SETS if known in results["sets"]}
        args.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
        args.page.write_text(page(results), encoding="utf-8")
    return 1 if any(results["sets"][name]["findings"] for name in names) else 0


def _say(text: str) -> None:
    print(f"bench/fidelity: {text}", file=sys.stderr, flush=True)
