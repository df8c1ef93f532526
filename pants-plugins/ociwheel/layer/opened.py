"""Which libraries Python code opens by name: strings beside ``CDLL``, ``dlopen`` and their like.

Looked for when a wheel is installed, since that is where its sources are at hand. Code is parsed, never run.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ociwheel.layer.import_time import CALLS, AtImport, Read, at_import, callee, parsed, texts

_MENTION = re.compile(rb"\b(?:CDLL|PyDLL|LoadLibrary|_?dlopen|find_library|load_library)\b")
# A quoted file name of a library: "lib_lightgbm.so", 'lib/libtvm.so', "libcublas.so.12".
_FILE = re.compile(rb"""(?:['"/])([\w+-][\w.+-]*\.so(?:\.\d+)*)['"]""")
# A module that is larger is data.
_MOST_BYTES = 4 << 20


@dataclass(frozen=True)
class OpenedNames:
    """What the code of one distribution opens."""

    files: frozenset[str]
    """Names of files, wherever its code has them."""
    calls: tuple[tuple[str, ...], ...]
    """For each place that opens libraries, the names that it tries."""
    at_import: tuple[AtImport, ...] = ()
    """Places that do so when it is imported, and raise where there is none."""

    def to_json(self) -> dict[str, Any]:
        """Return the item of a layer-facts document."""
        found = [{"path": one.path, "names": list(one.names)} for one in self.at_import]
        return {
            "files": sorted(self.files),
            "calls": [list(call) for call in self.calls],
            **({"at_import": found} if found else {}),
        }


def opened_names(modules: Mapping[str, Read], site: str) -> OpenedNames | None:
    """Return what the modules of a distribution open, ``None`` for nothing.

    A name often stands in another module than the call. So one call anywhere makes the names of files in all
    modules count; of other libraries, only those in the call itself do.

    :param modules: its Python files, by path below site-packages; those of others by any other path.
    :param site: that folder, as the image has it.
    """
    files: set[str] = set()
    calls: dict[tuple[str, ...], None] = {}
    opening: set[str] = set()
    large: set[str] = set()
    for path, read in modules.items():
        data = read()
        if len(data) > _MOST_BYTES:
            large.add(path)
            continue
        files.update(name.decode() for name in _FILE.findall(data))
        if _MENTION.search(data):
            opening.add(path)
            calls.update(dict.fromkeys(_calls(data)))
    if not opening or not (files or calls):
        return None
    kept = {path: read for path, read in modules.items() if path not in large}
    found = at_import(kept, frozenset(opening)) if calls else ()
    early = tuple(AtImport(f"{site}/{one.path}", one.names) for one in found)
    return OpenedNames(frozenset(files), tuple(sorted(calls)), early)


def _calls(data: bytes) -> Iterator[tuple[str, ...]]:
    tree = parsed(data)
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, ast.Call) and callee(node) in CALLS:
            wanted = tuple(texts(node.args))
            if wanted:
                yield wanted
