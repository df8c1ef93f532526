"""The package sets, and what the main program of each does in the image, run by the image's own Python."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

_RUN = """\
import ctypes, ctypes.util, os, struct, subprocess, sys, threading
def run(*words, **options):
    done = subprocess.run(words, capture_output=True, **options)
    assert done.returncode == 0, (words, done.returncode, done.stdout[-300:], done.stderr[-900:])
    return done.stdout
os.chdir("/tmp")
"""


@dataclass(frozen=True)
class PackageSet:
    """Packages of a base beside the default ones.

    :param work: Python that fails where the program does not do its work.
    :param does: the same in words.
    :param keeps: packages that are not left out, though by default they are.
    """

    packages: tuple[str, ...]
    work: str
    does: str
    keeps: tuple[str, ...] = ()

    @property
    def script(self) -> str:
        """The whole of what is run."""
        return _RUN + self.work


_CURL = """\
import http.server
server = http.server.HTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
threading.Thread(target=server.serve_forever, daemon=True).start()
open("page", "w").write("hello")
assert run("curl", "-sf", f"http://127.0.0.1:{server.server_port}/page") == b"hello"
wrong = f"https://127.0.0.1:{server.server_port}/"
missing = subprocess.run(["curl", "-s", wrong], capture_output=True)
assert missing.returncode == 35, missing
"""
_FFMPEG = """\
run("ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc=d=1:s=64x64", "-f", "lavfi", "-i", "sine=d=1",
    "-c:v", "libx264", "-c:a", "aac", "out.mp4")
shown = run("ffprobe", "-v", "error", "-show_entries", "stream=codec_name", "-of", "csv=p=0", "out.mp4")
assert shown.split() == [b"h264", b"aac"]
"""
_GRAPHVIZ = """\
graph = b'digraph { a -> b [label="c"] }'
assert run("dot", "-Tsvg", input=graph).count(b"<svg") == 1
assert run("dot", "-Tpng:cairo", input=graph)[:4] == b"\\x89PNG"
assert b"pdf" in subprocess.run(["dot", "-Tnone"], input=graph, capture_output=True).stderr
"""
_BLAS = """\
assert ctypes.util.find_library("blas") == "libblas.so.3"
lapack = ctypes.CDLL(ctypes.util.find_library("lapack"))
i, n = ctypes.c_int, ctypes.c_double
a, b = (n * 4)(2, 0, 0, 4), (n * 2)(6, 8)
pivots, info = (i * 2)(), i(-1)
two, one = ctypes.byref(i(2)), ctypes.byref(i(1))
lapack.dgesv_(two, one, a, two, pivots, b, two, ctypes.byref(info))
assert (info.value, list(b)) == (0, [3.0, 2.0])
"""
_FONTS = """\
assert b'"DejaVu Serif" "Book"' in run("fc-match", "DejaVu Serif")
# The caches that were made are those that are used: no folder is looked through again.
said = subprocess.run(["fc-cache", "-s", "-v"], capture_output=True, text=True).stdout
assert "/usr/share/fonts/truetype/dejavu: skipping, existing cache is valid" in said, said
assert ": caching" not in said.split("/usr/local/share/fonts")[0], said
"""
_PIXBUF = """\
pixbuf = ctypes.CDLL("libgdk_pixbuf-2.0.so.0")
pixbuf.gdk_pixbuf_new_from_file.restype = ctypes.c_void_p
pixbuf.gdk_pixbuf_get_width.argtypes = [ctypes.c_void_p]
# A portable bitmap: its reader is a module of its own, found by loaders.cache alone.
open("x.pgm", "wb").write(b"P5 3 2 255\\n" + bytes(6))
error = ctypes.c_void_p()
image = pixbuf.gdk_pixbuf_new_from_file(b"x.pgm", ctypes.byref(error))
assert image and pixbuf.gdk_pixbuf_get_width(image) == 3, error
"""
_IMAGEMAGICK = """\
run("convert", "-size", "8x4", "gradient:red-blue", "-resize", "50%", "x.png")
assert run("identify", "-format", "%m %w %h", "x.png") == b"PNG 4 2"
"""
_POSTGRESQL = """\
assert run("psql", "--version").startswith(b"psql (PostgreSQL) 15")
asks = ["psql", "-h", "127.0.0.1", "-p", "1", "-c", "select 1"]
done = subprocess.run(asks, capture_output=True, text=True)
assert done.returncode == 2 and "Connection refused" in done.stderr, done
"""
_TINI = """\
assert run("tini", "-s", "--", sys.executable, "-c", "print(1)") == b"1\\n"
done = subprocess.run(["tini", "-s", "--", sys.executable, "-c", "import sys; sys.exit(7)"])
assert done.returncode == 7
"""
SETS: Mapping[str, PackageSet] = {
    "curl": PackageSet(("curl",), _CURL, "fetches a page by HTTP, and shakes hands for HTTPS"),
    "bash": PackageSet(
        ("bash",),
        'assert run("bash", "-c", "a=(1 2); echo ${a[1]}") == b"2\\n"\n',
        "runs a script with an array",
    ),
    "ffmpeg": PackageSet(("ffmpeg",), _FFMPEG, "encodes a film with H.264 and AAC, and reads it"),
    "graphviz": PackageSet(("graphviz",), _GRAPHVIZ, "draws a graph as SVG, and as PNG with text"),
    "blas": PackageSet(
        ("libblas3", "liblapack3"), _BLAS, "is found by `find_library`, and solves two equations"
    ),
    "fonts": PackageSet(("fonts-dejavu", "fontconfig"), _FONTS, "finds a font, by the cache that was made"),
    "gdk-pixbuf": PackageSet(
        ("libgdk-pixbuf-2.0-0",), _PIXBUF, "reads an image of a format that is a module"
    ),
    "imagemagick": PackageSet(
        ("imagemagick",), _IMAGEMAGICK, "`convert` writes an image, `identify` reads it"
    ),
    "postgresql-client": PackageSet(
        ("postgresql-client",),
        _POSTGRESQL,
        "`psql` starts, and asks a server that is not there",
        ("perl", "perl-base"),
    ),
    "tini": PackageSet(("tini",), _TINI, "starts a program and passes on how it ends"),
}
