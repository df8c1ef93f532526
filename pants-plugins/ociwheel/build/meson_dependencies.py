"""The libraries that a project's ``meson.build`` cannot do without; meson tells of one each time it runs.

Format: meson's reference, "Syntax", ``dependency()``. The files are read, not run: what counts is a call that
is made whatever the options and the target are, for one library whose name is written there.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ociwheel.build.pkgconfig import Sysroot

_FILE = "meson.build"
_MOST_BYTES = 1 << 20
_MOST_FILES = 200
_MOST_TOKENS = 500
"""Of the arguments of one call."""
_TOKEN = re.compile(
    r"(?P<text>'''[\s\S]*?'''|'(?:\\.|[^'\\\n])*')|(?P<skipped>#[^\n]*|\\\n|[ \t\r]+)"
    r"|(?P<word>[A-Za-z_]\w*)|(?P<sign>[\s\S])"
)
_PLAIN = re.compile(r"[\w.+-]{1,100}", re.ASCII)
# Each other argument (fallback, native, method) may find it elsewhere than in the sysroot.
_KNOWN_ARGUMENTS = {"include_type", "modules", "required", "static", "version"}
_OPENING, _CLOSING = "([{", ")]}"


def lacking(source: Path, sysroot: Sysroot) -> tuple[str, ...]:
    """Return the names that an unpacked project always asks pkg-config for and that a sysroot lacks."""
    folders = [Path(folder) for folder in sysroot.folders()]
    names = unconditional(source)
    return tuple(name for name in names if not any((one / f"{name}.pc").is_file() for one in folders))


def unconditional(source: Path) -> tuple[str, ...]:
    """Return the names that pkg-config must know for meson to configure an unpacked project, each once."""
    found: dict[str, None] = {}
    folders, seen = [source], {source.resolve()}
    while folders and len(seen) <= _MOST_FILES:
        folder = folders.pop(0)
        for call in calls(folder / _FILE, ("dependency", "subdir", "subproject")):
            if call.function == "dependency":
                if call.names_one_library:
                    found[call.name] = None
                continue
            below = (folder if call.function == "subdir" else source / "subprojects") / call.name
            place = below.resolve()
            if place not in seen and place.is_relative_to(source.resolve()):
                seen.add(place)
                folders.append(below)
    return tuple(found)


@dataclass
class Call:
    """A call of a function with a literal as its first argument."""

    function: str
    name: str = ""
    positional: int = 0
    named: dict[str, list[str]] = field(default_factory=dict)
    """Arguments by their names, as tokens."""

    @property
    def is_required(self) -> bool:
        """Whether the project ends where there is none of this name."""
        return "if_found" not in self.named and self.named.get("required", ["true"]) == ["true"]

    @property
    def names_one_library(self) -> bool:
        """Whether it is a ``dependency()`` of one library, which only the sysroot can have."""
        plain = self.positional == 1 and bool(_PLAIN.fullmatch(self.name))
        return plain and set(self.named) <= _KNOWN_ARGUMENTS


def calls(path: Path, functions: Container[str]) -> Iterator[Call]:
    """Yield the calls of functions that a file makes whatever its options are; none without a file."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            tokens = _tokens(file.read(_MOST_BYTES))
    except OSError:
        return
    blocks, depth, in_question = 0, 0, False
    for number, word in enumerate(tokens):
        if word in ("if", "foreach"):
            blocks += 1
        elif word in ("endif", "endforeach"):
            blocks -= 1
        elif word == "\n" and depth == 0:
            in_question = False
        elif word == "?":
            in_question = True
        depth += (word in _OPENING) - (word in _CLOSING)
        called = word in functions and tokens[number + 1 : number + 2] == ["("]
        if called and blocks == 0 and not in_question and tokens[number - 1 : number] != ["."]:
            call = _call(word, tokens[number + 2 : number + 2 + _MOST_TOKENS])
            if call is not None and call.is_required:
                yield call


def _tokens(text: str) -> list[str]:
    return [match[0] for match in _TOKEN.finditer(text) if match["skipped"] is None]


def _call(function: str, tokens: Sequence[str]) -> Call | None:
    """Return a call whose arguments the tokens begin with, None where its first argument is no plain text."""
    call, first = Call(function), None
    for argument in _arguments(tokens):
        if len(argument) > 2 and argument[1] == ":":
            call.named[argument[0]] = argument[2:]
            continue
        call.positional += 1
        first = first or argument
    if first is None or len(first) != 1 or not first[0].startswith("'"):
        return None
    call.name = first[0].strip("'")
    return call


def _arguments(tokens: Sequence[str]) -> Iterator[list[str]]:
    argument: list[str] = []
    depth = 0
    for word in tokens:
        if depth == 0 and word in ",)":
            if argument:
                yield argument
            argument = []
            if word == ")":
                return
            continue
        depth += (word in _OPENING) - (word in _CLOSING)
        if word != "\n":
            argument.append(word)
