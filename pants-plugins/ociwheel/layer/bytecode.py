"""Bytecode whose bytes depend on the source, its path and the Python version only.

The ``.pyc`` files hold a hash of the source and no time (PEP 552). Of the kind "unchecked hash" Python
neither stats nor hashes the source at start-up; of the kind "checked hash" it does, so that a source that is
replaced in a running container, or lies below a mount, counts.
"""

from __future__ import annotations

import importlib.util
import marshal
import sys
import warnings
from types import CodeType
from typing import Any

# PEP 552: "the flags [...] lowest-order bit [...] hash-based; [...] second [...] check_source".
_UNCHECKED_HASH = (0b01).to_bytes(4, "little")
_CHECKED_HASH = (0b11).to_bytes(4, "little")

# marshal records whether a string is interned. One-character strings are singletons that any code
# of this process may have interned, or not yet; from here on all are.
for _code_point in range(256):
    sys.intern(chr(_code_point))


_MADE_OF_OTHERS = frozenset({CodeType, frozenset, slice, tuple})


class NotCompilable(Exception):  # noqa: N818 (a finding about a file, rarely an error)
    """Source that this Python does not compile, a template for an older one for example."""


def compile_source(data: bytes, image_path: str, *, checked: bool = False) -> bytes:
    """Compile one module.

    :param data: the source.
    :param image_path: where it lies in the image, with or without the leading slash: the path
        that tracebacks show.
    :param checked: the interpreter shall compare the source before it takes the bytecode.
    :returns: the content of the ``.pyc`` file for the running interpreter, optimization level 0.
    :raises NotCompilable: the source is not valid for this Python.
    """
    code = _compiled(data, image_path)
    held, has_sets = _held(code)
    # Each code gets its own object for a constant set whose names are already interned as other objects,
    # which another module in this process decides. While the first code is held, all are interned.
    if has_sets:
        code = _compiled(data, image_path)
        held += _held(code)[0]
    return header(data, checked=checked) + marshal.dumps(code)


def _compiled(data: bytes, image_path: str) -> CodeType:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return compile(data, "/" + image_path.lstrip("/"), "exec", dont_inherit=True, optimize=0)
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError) as e:
        raise NotCompilable(f"{type(e).__name__}: {e}") from e


def header(data: bytes, *, checked: bool = False) -> bytes:
    """Return what the ``.pyc`` file of a source begins with, for the running interpreter (PEP 552)."""
    kind = _CHECKED_HASH if checked else _UNCHECKED_HASH
    return b"".join((importlib.util.MAGIC_NUMBER, kind, importlib.util.source_hash(data)))


def pyc_path(image_path: str, tag: str) -> str:
    """Return where the bytecode of ``image_path`` lies (PEP 3147).

    :param tag: the interpreter's, ``cpython-311``.
    """
    folder, _, name = image_path.rpartition("/")
    stem = name.removesuffix(".py")
    return f"{folder}/__pycache__/{stem}.{tag}.pyc".lstrip("/")


def _held(code: CodeType) -> tuple[list[object], bool]:
    """Return one more reference on a code and on all that it is made of, and whether that has sets.

    marshal writes an object that nothing else refers to in a shorter form, so a name that any
    other module of this process happens to use too would change the bytes (bpo-34093). With a
    reference of ours on each, all are written in the same form always.
    """
    held: list[object] = [code]
    sets = False
    todo: list[Any] = [code]
    while todo:
        one = todo.pop()
        kind = type(one)
        if kind is CodeType:
            held += (one.co_filename, one.co_name, one.co_qualname, one.co_names, one.co_consts)
            for names in (one.co_names, one.co_varnames, one.co_freevars, one.co_cellvars):
                held += names
            parts = one.co_consts
        elif kind is slice:  # a constant since Python 3.14
            parts = (one.start, one.stop, one.step)
        else:
            parts = tuple(one)
            sets = sets or kind is frozenset
        held += parts
        todo += [part for part in parts if type(part) in _MADE_OF_OTHERS]
    return held, sets
