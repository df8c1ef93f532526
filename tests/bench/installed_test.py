"""What `bench/fidelity` makes of a module that is not imported: whether the audit said so."""

from __future__ import annotations

from bench.installed.imports import Imported
from bench.installed.report import kinds

_REFUSED = """\
3 files of the image for linux/amd64 cannot be loaded, for 3 libraries:
  python-magic 1: /app/magic/loader.py opens magic when it is imported, but the image lacks it
  weasyprint 1: /app/weasyprint/ffi.py opens libgobject-2.0.so.0 when it is imported, but the image lacks it
  a 1: /app/a.so needs libgomp.so.1, which is not in the image
"""
_NOTE = "b 1: its code opens libraries that are not in the image: zbar (Debian's libzbar0 has it)"


def _kind(error: str) -> tuple[str, str | None]:
    (row,) = kinds([Imported("d", "m", error)], _REFUSED, [_NOTE])
    return row["kind"], row["library"]


def test_errors_of_imports_beside_what_the_audit_said() -> None:
    assert _kind("") == ("imported", None)
    assert _kind("ImportError: failed to find libmagic") == ("named", "magic")
    gobject = "libgobject-2.0-0"
    assert _kind(f"OSError: cannot load library '{gobject}'") == ("named", gobject)
    lacks = "cannot open shared object file"
    assert _kind(f"OSError: libgomp.so.1: {lacks}") == ("named", "libgomp.so.1")
    assert _kind(f"OSError: libother.so.1: {lacks}") == ("unnamed", "libother.so.1")
    assert _kind("ImportError: Unable to find zbar shared library") == ("noted", "zbar")
    assert _kind("ImportError: something else") == ("otherwise", None)
