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

# PEP 552: "the flags [...] lowest-order bit [...] hash-based; [...] second [...] check_source".
_UNCHECKED_HASH = (0b01).to_bytes(4, "little")
_CHECKED_HASH = (0b11).to_bytes(4, "little")

# marshal records whether a string is interned. One-character strings are singletons that any code
# of this process may have interned, or not yet; from here on all are.
for _code_point in range(256):
    sys.intern(chr(_code_point))


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
    held: list[object] = []
    code = _compiled(data, image_path)
    _hold(code, held)
    # Each code gets its own object for a constant set whose names are already interned as other objects,
    # which another module in this process decides. While the first code is held, all are interned.
    if any(isinstance(part, frozenset) for part in held):
        code = _compiled(data, image_path)
        _hold(code, held)
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


def _hold(value: object, held: list[object]) -> None:
    """Put one more reference on ``value`` and all it is made of.

    marshal writes an object that nothing else refers to in a shorter form, so a name that any
    other module of this process happens to use too would change the bytes (bpo-34093). With a
    reference of ours on each, all are written in the same form always.
    """
    held.append(value)
    parts: tuple[object, ...] = ()
    if isinstance(value, CodeType):
        parts = (
            value.co_filename, value.co_name, value.co_qualname, value.co_names, value.co_varnames,
            value.co_freevars, value.co_cellvars, value.co_consts,
        )  # fmt: skip
    elif isinstance(value, tuple | frozenset):
        parts = tuple(value)
    elif isinstance(value, slice):  # a constant since Python 3.14
        parts = (value.start, value.stop, value.step)
    for part in parts:
        _hold(part, held)
