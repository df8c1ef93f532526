"""Sources that load system libraries when they are imported, as distributions in wide use do."""

from __future__ import annotations

# As cairocffi, weasyprint and python-magic load what they cannot do without.
CAIROCFFI = """\
def dlopen(ffi, library_names, filenames):
    for name in library_names:
        filename = find_library(name)
        if filename:
            filenames = (filename, *filenames)
    for filename in filenames:
        try:
            return ffi.dlopen(filename)
        except OSError as exception:
            last = exception
    raise last

cairo = dlopen(ffi, ("cairo-2", "cairo"), ("libcairo.so.2", "libcairo-2.dll"))
"""
WEASYPRINT = """\
def _dlopen(ffi, *names, allow_fail=False):
    for name in names:
        with suppress(OSError):
            return ffi.dlopen(name)
    if allow_fail:
        return
    return ffi.dlopen(names[0])

pango = _dlopen(ffi, "pango-1.0-0", "libpango-1.0.so.0")
subset = _dlopen(ffi, "harfbuzz-subset", "libharfbuzz-subset.so.0", allow_fail=True)
"""
MAGIC = """\
def _candidates():
    yield find_library("magic")

def load_lib():
    for lib in _candidates():
        try:
            return ctypes.CDLL(lib)
        except OSError:
            pass
    else:
        raise ImportError("failed to find libmagic")
"""
