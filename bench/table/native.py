"""Builds a package as pip does on a Debian with gcc and the -dev packages: what it is measured against."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from bench.table.listing import Distribution, Package
from bench.table.workshop import Workshop, isolated, say

_TIMEOUT = 1200
_FOLDER = "build-table"


def build(workshop: Workshop, package: Package, root: Path) -> dict[str, Any] | None:
    """Return whether ``pip wheel`` makes a wheel of the sdist, with its ELF files or the end of its output.

    :returns: nothing where a busy machine took too long to tell.
    :param root: a Debian root with python3-venv, python3-dev, gcc and the -dev packages; has the network.
    """
    sdist = workshop.distributions()[package.key]
    source = workshop.fetch(sdist)
    place = root / _FOLDER
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    shutil.copy(source, place)
    _carry(root)
    settings = [f"--config-settings={k}={v}" for k, v in package.config_settings.items()]
    script = (
        f"cd /{_FOLDER} && python3 -m venv venv && venv/bin/pip wheel --use-pep517 --no-deps --no-cache-dir "
        f"-w out {' '.join(settings)} ./{source.name}"
    )
    keep = {k: v for k, v in os.environ.items() if k.startswith("PIP_") or k.lower().endswith("_proxy")}
    env = {**keep, "PATH": "/usr/bin:/bin", "HOME": f"/{_FOLDER}", "LC_ALL": "C.UTF-8", **package.env}
    try:
        done = subprocess.run(
            [*isolated(root), "/bin/sh", "-c", script],
            env=env,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT,
            check=False,
        )
        elf = _elf(place / "out", sdist)
    except subprocess.TimeoutExpired:
        say(f"{sdist.key} natively: not known, it takes longer than {_TIMEOUT} s")
        return None
    finally:
        shutil.rmtree(place, ignore_errors=True)
    say(f"{sdist.key} natively: {'FAILED' if elf is None else 'built'}")
    if elf is not None:
        return {"ok": True, "reason": "", "elf": elf}
    tail = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()][-12:]
    return {"ok": False, "reason": "\n".join(line[:300] for line in tail), "elf": {}}


def _elf(folder: Path, sdist: Distribution) -> dict[str, list[str]] | None:
    """Return the ELF files of the wheel in a folder, each with the libraries that it names."""
    from ociwheel.build.checks import read_wheel  # noqa: PLC0415  importable once the toolbox is there

    for wheel in folder.glob("*.whl"):
        facts = read_wheel(wheel, sdist.name, sdist.version).elf
        return {fact.path: sorted(fact.needed) for fact in facts}
    return None


def _carry(root: Path) -> None:
    """Give the root this machine's name servers, certificates and settings of pip."""
    for name in ("etc/resolv.conf", "etc/hosts", "etc/pip.conf", "etc/ssl/certs/ca-certificates.crt"):
        if (Path("/") / name).exists():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(Path("/") / name, root / name)
    links = os.environ.get("PIP_FIND_LINKS", "")
    if links.startswith("/") and Path(links).is_dir():
        shutil.copytree(links, root / links.lstrip("/"), dirs_exist_ok=True)
