"""Builds a package as pip does on a Debian with gcc and the -dev packages: what it is measured against.

What came out is then called as ours is: some build and cannot be imported, or leave out what is compiled.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.table.listing import Distribution, Package
from bench.table.workshop import Workshop, isolated, say

_TIMEOUT = 1200
_FOLDER = "build-table"


def build(workshop: Workshop, package: Package, root: Path) -> dict[str, Any] | None:
    """Return whether ``pip wheel`` makes a wheel of the sdist, with its ELF files or the end of its output.

    :returns: nothing where a busy machine took too long to tell. ``called``: whether the package's test runs.
    :param root: a Debian root with python3-venv, python3-dev, gcc and the -dev packages; has the network.
    """
    locked = workshop.distributions()
    sdist = locked[package.key]
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
        done = _run(root, script, env)
        elf = _elf(place / "out", sdist)
        said = "" if elf is None else _call(root, package, [locked[name].key for name in package.needs], env)
    except subprocess.TimeoutExpired:
        say(f"{sdist.key} natively: not known, it takes longer than {_TIMEOUT} s")
        return None
    finally:
        shutil.rmtree(place, ignore_errors=True)
    say(f"{sdist.key} natively: {'FAILED' if elf is None else said or 'built and called'}")
    if elf is not None:
        return {"ok": True, "reason": said, "elf": elf, "called": not said}
    return {"ok": False, "reason": _tail(done), "elf": {}, "called": False}


def _run(root: Path, script: str, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*isolated(root), "/bin/sh", "-c", script],
        env=env,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=_TIMEOUT,
        check=False,
    )


def _tail(done: subprocess.CompletedProcess[str]) -> str:
    # pip's first lines name this machine's indexes and folders.
    said = (line for line in (done.stdout + done.stderr).splitlines() if not line.startswith("Looking in "))
    lines = [line for line in said if line.strip()][-12:]
    return "\n".join(line[:300] for line in lines)


def _call(root: Path, package: Package, needs: Sequence[str], env: Mapping[str, str]) -> str:
    """Run the package's test with the wheel that was built; return what went wrong."""
    install = f"venv/bin/pip install --no-cache-dir --prefer-binary out/*.whl {' '.join(needs)}"
    script = f'cd /{_FOLDER} && {install} && exec venv/bin/python -I -B -X utf8 -c "$SMOKE"'
    # Where an image has it, the environment has it.
    smoke = package.smoke.replace("/app/", f"/{_FOLDER}/venv/")
    done = _run(root, script, {**env, "SMOKE": f"{smoke}\nprint('fine')"})
    return "" if done.returncode == 0 and done.stdout.strip().endswith("fine") else _tail(done)


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
