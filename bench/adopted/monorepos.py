"""Which monorepos are tried, and what is asked of each: ``monorepos.toml`` and a patch beside it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Service:
    """An image of a monorepo, and how to see that it starts.

    :param target: the address of the image.
    :param command: what follows the image's name in ``docker run``.
    :param prints: a regular expression that its output has to match somewhere.
    :param exit_code: how it has to end; None where it serves until it is stopped.
    :param asks: of one that serves, Python to run inside it as soon as it answers; its output counts, too.
    :param options: of ``docker run``.
    """

    target: str
    command: tuple[str, ...]
    prints: str
    exit_code: int | None = 0
    asks: str | None = None
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class Monorepo:
    """A repository that somebody else wrote.

    :param source: where it is developed.
    :param commit: what was tried.
    :param pants: the version that its `pants.toml` names.
    :param engine: the version that runs it here.
    :param locks: what `generate-lockfiles` is asked for, in this order.
    :param edit: the source file that is edited; all services here have it.
    :param had: the targets that it packages the same services with: `pex_binary`, or `docker_image`.
    :param images: where they are `docker_image`, what each is called in the engine.
    :param bases: the images of a registry that those start from.
    :param mirrors: git repositories that its locks name.
    :param about: what it is, and what the patch does, in sentences.
    """

    name: str
    source: str
    commit: str
    pants: str
    engine: str
    locks: tuple[str, ...]
    edit: str
    had: tuple[str, ...]
    images: tuple[str, ...]
    bases: tuple[str, ...]
    mirrors: tuple[str, ...]
    about: str
    services: tuple[Service, ...]

    @property
    def patch(self) -> Path:
        """What adopting it takes."""
        return FOLDER / "patches" / f"{self.name}.patch"

    @property
    def repair(self) -> Path:
        """What it takes to build what it had, today and here; not there where it needs nothing."""
        return FOLDER / "patches" / f"{self.name}-had.patch"

    def commands(self, folder: str) -> tuple[str, ...]:
        """Return what makes the checkout, and the clones that it needs, in a folder."""
        place = f"{folder}/{self.name}"
        clones = (f"git -C {folder} clone --bare {url}" for url in self.mirrors)
        checkout = f"git -C {place} checkout --recurse-submodules {self.commit}"
        return f"git clone --recurse-submodules {self.source} {place}", checkout, *clones

    @property
    def kind(self) -> str:
        """What its own targets are."""
        return "docker_image" if self.images else "pex_binary"


def _tuples(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}


def read(text: str) -> list[Monorepo]:
    """Read the list of monorepos."""
    found = []
    for name, values in tomllib.loads(text).items():
        services = tuple(Service(**_tuples(one)) for one in values.pop("services"))
        optional = {"locks": (), "images": (), "bases": (), "mirrors": ()}
        found.append(Monorepo(name=name, services=services, **{**optional, **_tuples(values)}))
    return found


def monorepos() -> list[Monorepo]:
    """Return those that are tried."""
    return read((FOLDER / "monorepos.toml").read_text())


@dataclass(frozen=True)
class Changed:
    """Lines that a patch adds and removes, those of lockfiles apart."""

    added: int
    removed: int
    files: int
    locked: int


def changed(patch: str) -> Changed:
    """Count the lines of a patch as ``git diff --numstat`` does.

    A lockfile is what ``generate-lockfiles`` would write, with its metadata in a file beside it or not; lines
    added and removed there are counted together.
    """
    added, removed, locked = 0, 0, 0
    files: set[str] = set()
    for path, sign in _lines(patch.splitlines()):
        if path.removesuffix(".metadata").endswith(".lock"):
            locked += 1
            continue
        files.add(path)
        added += sign == "+"
        removed += sign == "-"
    return Changed(added, removed, len(files), locked)


def _lines(lines: Iterable[str]) -> Iterable[tuple[str, str]]:
    """Yield the file and the sign of each line that a patch changes."""
    path, old, new = "", 0, 0
    for line in lines:
        hunk = re.match(r"@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@", line)
        if hunk:
            old, new = (int(count or 1) for count in hunk.groups())
        elif old or new:
            sign = line[:1]
            old -= sign in (" ", "-", "")
            new -= sign in (" ", "+", "")
            if sign in ("+", "-"):
                yield path, sign
        elif line.startswith("+++ "):
            path = line[4:].partition("\t")[0].removeprefix("b/")
