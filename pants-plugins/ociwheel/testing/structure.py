"""What an image is to have and to say, looked up in the lists of its layers: nothing is run or unpacked."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from ociwheel.elf.tree import ImageTree
from ociwheel.errors import ImageError
from ociwheel.formats.entries import Entry
from ociwheel.image.users import owner

_WILD = frozenset("*?[")


@dataclass(frozen=True)
class Said:
    """What an image's configuration says."""

    env: Mapping[str, str]
    user: str


@dataclass(frozen=True)
class Expected:
    """What somebody expects of an image."""

    files_present: Sequence[str] = ()
    """Absolute paths, or shell patterns of them in which ``*`` also matches slashes."""
    files_absent: Sequence[str] = ()
    commands: Sequence[str] = ()
    """Names that a folder of ``PATH`` has, or absolute paths, of files that can be executed."""
    env: Mapping[str, str] = field(default_factory=dict)
    user: str | None = None

    @property
    def number(self) -> int:
        """How many expectations there are."""
        lists = (self.files_present, self.files_absent, self.commands, self.env)
        return sum(map(len, lists)) + (self.user is not None)


def check_structure(expected: Expected, tree: ImageTree, said: Said) -> int:
    """Return how many expectations an image fulfils.

    :raises ImageError: it does not fulfil all; with each that it does not.
    """
    faults = [*_files(expected, tree), *_commands(expected, tree, said), *_said(expected, said)]
    if faults:
        raise ImageError(
            f"{len(faults)} of {expected.number} expectations do not hold",
            details=faults,
            hint="correct the image, or what is expected of it",
        )
    return expected.number


def _found(pattern: str, tree: ImageTree) -> list[str]:
    """Return the absolute paths of what a path leads to, or a pattern matches."""
    if not _WILD & set(pattern):
        real = tree.resolve(pattern)
        return [] if real is None else [pattern]
    return [path for name in sorted(tree.entries) if fnmatchcase(path := f"/{name}", pattern)]


def _files(expected: Expected, tree: ImageTree) -> Iterator[str]:
    for pattern in expected.files_present:
        if not _found(pattern, tree):
            yield f"files_present: there is no {pattern}"
    for pattern in expected.files_absent:
        if there := _found(pattern, tree):
            more = f" and {len(there) - 1} more" if len(there) > 1 else ""
            match = f", which {pattern} matches" if there[0] != pattern else ""
            yield f"files_absent: there is {there[0]}{more}{match}"


def _executable(path: str, tree: ImageTree) -> bool:
    real = tree.resolve(path)
    entry: Entry | None = tree.entries.get(real) if real is not None else None
    return entry is not None and entry.kind == "file" and bool(entry.mode & 0o111)


def _commands(expected: Expected, tree: ImageTree, said: Said) -> Iterator[str]:
    folders = [folder for folder in said.env.get("PATH", "").split(":") if folder]
    for command in expected.commands:
        if command.startswith("/"):
            if not _executable(command, tree):
                yield f"commands: {command} is no file that can be executed"
        elif not any(_executable(posixpath.join(folder, command), tree) for folder in folders):
            yield f"commands: no folder of PATH has {command}: {':'.join(folders) or 'it is empty'}"


def _number(user: str) -> str:
    try:
        return owner(user).text
    except ImageError:
        return user  # of a base that is somebody else's


def _said(expected: Expected, said: Said) -> Iterator[str]:
    for name, value in sorted(expected.env.items()):
        if name not in said.env:
            yield f"env: {name} is not set"
        elif said.env[name] != value:
            yield f"env: {name} is {said.env[name]!r}, not {value!r}"
    if expected.user is not None and _number(expected.user) != _number(said.user):
        yield f"user: it is {said.user or 'root'}, not {expected.user}"
