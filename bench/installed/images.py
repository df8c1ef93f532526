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

from tests.integration.repository import BASE, Repository

MINOR = "3.11"
_TAR = shutil.which("tar") or "tar"
_PINNED = re.compile(r"^([A-Za-z0-9][\w.-]*)==", re.MULTILINE)


@dataclass(frozen=True)
class Packaged:
    """An image.

    :param root: the folder that it was unpacked into.
    :param refused: what the audit said, where it had to be told to let something pass.
    """

    root: Path
    report: Mapping[str, Any]
    refused: str


def write_set(repository: Repository, name: str, lock: str, accept: tuple[str, ...] = ()) -> None:
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
        f'    dependencies=[":lib", ":reqs"], accept_missing={list(accept)!r})\n',
    )


def write_resolves(repository: Repository, names: list[str]) -> None:
    """Give each set a resolve."""
    toml = (repository.root / "pants.toml").read_text(encoding="utf-8")
    lines = "".join(f'{name} = "locks/{name}.lock"\n' for name in names)
    repository.write("pants.toml", toml.replace("[python.resolves]\n", f"[python.resolves]\n{lines}"))


def package(repository: Repository, name: str, lock: str, folder: Path) -> Packaged:
    """Package an image and unpack it.

    What the audit refuses is kept and then accepted, to be held against what can be imported.

    :param folder: is replaced by the image's root.
    """
    write_set(repository, name, lock)
    address, refused = f"src/{name}:image", ""
    run = repository.pants("package", address)
    if run.exit_code != 0 and "cannot be loaded" in run.stderr:
        refused = run.error
        write_set(repository, name, lock, accept=("*",))
        run = repository.pants("package", address)
    if run.exit_code != 0:
        sys.exit(f"bench/fidelity: {name}: {run.stderr}")
    layout = repository.layout(f"src.{name}/image")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for layer in layout.layers():
        subprocess.run([_TAR, "-xzpf", layout.blob(layer), "-C", folder], check=True)
    report = json.loads((repository.root / f"dist/src.{name}/image.json").read_bytes())
    return Packaged(folder, report, refused)


def install(lock: Path, folder: Path) -> Path:
    """Install a lock with uv into a virtual environment of the same Python, and return its folder."""
    uv = Path(sys.executable).with_name("uv")
    shutil.rmtree(folder, ignore_errors=True)
    python = [sys.executable, "-c", "import sys; sys.exit(sys.version_info[:2] != (3, 11))"]
    subprocess.run(python, check=True)
    subprocess.run([uv, "venv", "--quiet", "--no-project", "--python", sys.executable, folder], check=True)
    subprocess.run(
        [
            *(uv, "pip", "install", "--quiet", "--no-deps", "--require-hashes", "--link-mode", "copy"),
            *("--only-binary", ":all:", "--python", folder / "bin/python", "-r", lock),
        ],
        check=True,
    )
    return folder
