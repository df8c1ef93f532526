"""The two installations of a lock: an image that is packaged and unpacked, and a virtual environment."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ociwheel.elf.audit import Report
from ociwheel.elf.audit_step import examine
from tests.integration.repository import BASE, Layout, Repository

MINOR = "3.11"
_TAR = shutil.which("tar") or "tar"
_SANDBOX = re.compile(r"reserv(?:ed|ing) local process execution dir (\S+) for")
_PINNED = re.compile(r"^([A-Za-z0-9][\w.-]*)==", re.MULTILINE)


@dataclass(frozen=True)
class Packaged:
    """An image.

    :param root: the folder that it was unpacked into.
    :param refused: what the audit said, where it had to be told to let something pass.
    :param audit: what it found then, `None` where it refused nothing.
    """

    root: Path
    report: Mapping[str, Any]
    refused: str
    audit: Report | None


def write_set(
    repository: Repository, name: str, lock: str, prefer: tuple[str, ...] = (), accept: tuple[str, ...] = ()
) -> None:
    """Write an image of everything in a lock, on a resolve of its own."""
    names = sorted(set(_PINNED.findall(lock)))
    repository.write(f"locks/{name}.lock", lock)
    repository.write(f"src/{name}/requirements.txt", "".join(f"{one}\n" for one in names))
    repository.write(f"src/{name}/app.py", "")
    repository.write(
        f"src/{name}/BUILD",
        f'python_requirements(name="reqs", resolve="{name}")\n'
        f'python_sources(name="lib", resolve="{name}")\n'
        f'slim_python_image(name="image", entry_point="app", base="{BASE}", platforms=["linux/amd64"],\n'
        f'    dependencies=[":lib", ":reqs"], prefer={list(prefer)!r}, accept_missing={list(accept)!r})\n',
    )


def write_resolves(repository: Repository, names: list[str]) -> None:
    """Give each set a resolve."""
    toml = (repository.root / "pants.toml").read_text(encoding="utf-8")
    lines = "".join(f'{name} = "locks/{name}.lock"\n' for name in names)
    repository.write("pants.toml", toml.replace("[python.resolves]\n", f"[python.resolves]\n{lines}"))


def package(
    repository: Repository,
    name: str,
    lock: str,
    folder: Path,
    prefer: tuple[str, ...] = (),
    *,
    large: bool = False,
) -> Packaged:
    """Package an image and unpack it.

    What the audit refuses is kept and then accepted, to be held against what can be loaded.

    :param folder: is replaced by the image's root.
    :param large: to spare the disk, caches and layers are deleted as soon as they were used.
    """
    write_set(repository, name, lock, prefer)
    address, refused, audited = f"src/{name}:image", "", None
    run = repository.pants("--keep-sandboxes=on_failure", "package", address)
    sandboxes = [Path(place) for place in _SANDBOX.findall(run.stderr)]
    if run.exit_code != 0 and "cannot be loaded" in run.stderr:
        refused = run.error
        (audited,) = [_audited(place) for place in sandboxes if (place / "facts").is_dir()]
        write_set(repository, name, lock, prefer, accept=("*",))
        run = repository.pants("package", address)
    for place in sandboxes:
        shutil.rmtree(place)
    if run.exit_code != 0:
        sys.exit(f"bench/fidelity: {name}: {run.stderr}")
    if large:
        shutil.rmtree(repository.caches.folder)
    unpack(repository.layout(f"src.{name}/image"), folder, keep=not large)
    report = json.loads((repository.root / f"dist/src.{name}/image.json").read_bytes())
    return Packaged(folder, report, refused, audited)


def unpack(layout: Layout, folder: Path, *, keep: bool = True) -> None:
    """Unpack the layers of an image, owners and modes included where root does.

    :param folder: is replaced by the image's root.
    :param keep: keep each blob; else it is deleted when it is unpacked.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for layer in layout.layers():
        subprocess.run([_TAR, "--numeric-owner", "-xzpf", layout.blob(layer), "-C", folder], check=True)
        if not keep:
            layout.blob(layer).unlink()


def _audited(sandbox: Path) -> Report:
    """Return what the audit found that ran in a sandbox: its message has no line for each file."""
    request = json.loads((sandbox / "request.json").read_bytes())
    for number, path in enumerate(request["facts"]):
        request["facts"][number] = str(sandbox / path)
    return examine(request).report


def install(lock: Path, folder: Path, prefer: tuple[str, ...] = ()) -> Path:
    """Install a lock with uv into a virtual environment of the same Python, and return its folder.

    :param prefer: distributions that are installed once more, after the others.
    """
    uv = Path(sys.executable).with_name("uv")
    shutil.rmtree(folder, ignore_errors=True)
    python = [sys.executable, "-c", "import sys; sys.exit(sys.version_info[:2] != (3, 11))"]
    subprocess.run(python, check=True)
    subprocess.run([uv, "venv", "--quiet", "--no-project", "--python", sys.executable, folder], check=True)
    command: list[str | Path] = [
        *(uv, "pip", "install", "--quiet", "--no-deps", "--require-hashes", "--link-mode", "copy"),
        *("--only-binary", ":all:", "--python", folder / "bin/python", "-r", lock),
    ]
    subprocess.run(command, check=True)
    for name in prefer:
        subprocess.run([*command, "--reinstall-package", name], check=True)
    return folder
