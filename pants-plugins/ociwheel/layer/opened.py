"""Which libraries Python code opens by name: strings beside ``CDLL``, ``dlopen`` and their like.

Looked for when a wheel is installed, since that is where its sources are at hand. Code is parsed, never run.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

_CALLS = frozenset({"CDLL", "PyDLL", "LoadLibrary", "dlopen", "_dlopen", "find_library", "load_library"})
_MENTION = re.compile(rb"\b(?:CDLL|PyDLL|LoadLibrary|_?dlopen|find_library|load_library)\b")
# A quoted file name of a library: "lib_lightgbm.so", 'lib/libtvm.so', "libcublas.so.12".
_FILE = re.compile(rb"""(?:['"/])([\w+-][\w.+-]*\.so(?:\.\d+)*)['"]""")
_NAME = re.compile(r"[\w.+-]+")
# A module that is larger is data.
_MOST_BYTES = 4 << 20


@dataclass(frozen=True)
class OpenedNames:
    """What the code of one distribution opens."""

    files: frozenset[str]
    """Names of files, wherever its code has them."""
    calls: tuple[tuple[str, ...], ...]
    """For each place that opens libraries, the names that it tries."""

    def to_json(self) -> dict[str, Any]:
        """Return the item of a layer-facts document."""
        return {"files": sorted(self.files), "calls": [list(call) for call in self.calls]}


def opened_names(sources: Iterable[bytes]) -> OpenedNames | None:
    """Return what the modules of a distribution open, ``None`` for nothing.

    A name often stands in another module than the call. So one call anywhere makes the names of files in all
    modules count; of other libraries, only those in the call itself do.
    """
    files: set[str] = set()
    calls: dict[tuple[str, ...], None] = {}
    mentioned = False
    for data in sources:
        if len(data) > _MOST_BYTES:
            continue
        files.update(name.decode() for name in _FILE.findall(data))
        if _MENTION.search(data):
            mentioned = True
            calls.update(dict.fromkeys(_calls(data)))
    return OpenedNames(frozenset(files), tuple(sorted(calls))) if mentioned and (files or calls) else None


def _calls(data: bytes) -> Iterator[tuple[str, ...]]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(data)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "attr", None) or getattr(node.func, "id", None)
        if name in _CALLS:
            wanted = tuple(text for text in _texts(node.args) if _NAME.fullmatch(text))
            if wanted:
                yield wanted


def _texts(arguments: Iterable[ast.expr]) -> Iterator[str]:
    """Yield the strings among arguments, and those in lists of names to try: cairocffi's."""
    for argument in arguments:
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
            yield argument.value
        elif isinstance(argument, ast.Tuple | ast.List):
            yield from _texts(argument.elts)
