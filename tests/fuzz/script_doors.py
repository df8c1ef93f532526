"""The doors of code that is read and never run: maintainer scripts, and Python that opens libraries."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from ociwheel.base.accounts import Accounts
from ociwheel.base.scripts import effects_of
from ociwheel.debian.deb import MOST_SCRIPT_BYTES, Package
from ociwheel.errors import BaseError
from ociwheel.formats.entries import Entry
from ociwheel.layer.opened import opened_names
from ociwheel.wording import shown
from tests.fuzz.harness import Door
from tests.fuzz.texts import line_maker

_START = "#!/bin/sh\nset -e\n"
_SCRIPTS = (
    """\
case "$1" in
  configure)
    [ -d /etc/foo ] || mkdir -m 750 -p /etc/foo
    for one in a b "$@"; do ln -sf "../share/$one" /usr/bin/${one%.*} >/dev/null 2>&1 || true; done
    if ! getent passwd foo; then adduser --system --group --home /var/lib/foo foo; fi
  ;;
esac
""",
    """\
. /usr/share/debconf/confmodule
db_get foo/bar && value="${RET:-none}"
make() { local x; x=$(dpkg --print-architecture); eval "$x"; while read line; do echo "$line"; done; return 1; }
make <<EOF
$value
EOF
update-alternatives --install /usr/bin/x x /usr/bin/foo 10 --slave /usr/bin/y y /usr/bin/z
cat > /etc/foo.conf; (cd /; make "$value" `date`) && exit $((1 + 2))
""",
)
_WORDS = (
    *("if ", "then\n", "elif ", "else\n", "fi\n", "case ", " in\n", "esac\n", ";;\n", "for x in ", "; do "),
    *("done\n", "while ", "until ", "f() {\n", "}\n", "(", ")", "$(", "`", "${x", "${x%%", "${x:-", "}", "'"),
    *(
        '"',
        "\n",
        " ",
        ";",
        "&&",
        "||",
        "|",
        "> /etc/a",
        "2>&1",
        "<<E\n",
        "E\n",
        "\\",
        "#",
        "x=",
        "$x$x",
        "[ ",
    ),
    *(" ]\n", "$1", "$@", "*", "a", "/usr/bin/foo", "mkdir -p ", "ln -s ", "cp ", "chmod 4755 ", "rm -rf /"),
    *(
        "set -- $@ $@\n",
        "eval ",
        "shift\n",
        "exit 1\n",
        "return\n",
        "f\n",
        "!",
        "$((",
        "))",
        "getent passwd ",
    ),
    *("adduser --system ", "dpkg-divert --rename --divert ", "db_get a/b\n", "$RET"),
)
_PYTHON = (
    """\
from . import other
def _dlopen(ffi, *names):
    for name in names:
        with suppress(OSError):
            return ffi.dlopen(name)
    return ffi.dlopen(names[0])
lib = _dlopen(ffi, 'x', ('libx.so.1', ['y']))
class C(ctypes.CDLL('libz.so')): cdll = find_library('z') or load()
def load():
    for one in load(): return CDLL(one)
    else: raise ImportError
""",
)
_PYTHON_WORDS = (
    *(
        "def f():\n",
        "class C:\n",
        "    ",
        "  ",
        "\n",
        "return ",
        "raise X\n",
        "CDLL(",
        "dlopen(",
        ")",
        "(",
        "[",
    ),
    *(
        "]",
        "'libx.so.1'",
        "'x'",
        ",",
        "f()",
        "if x:\n",
        "else:\n",
        "try:\n",
        "except OSError:\n",
        "with a:\n",
    ),
    *(
        "import m.b\n",
        "from . import b\n",
        "from ..",
        "import (",
        "lambda: ",
        "for x in y:\n",
        " and ",
        "-",
        "~",
    ),
    *('"""', "#", "\\\n", "=", ".", "*", "{", "}", "\t"),
)


def _script(data: bytes, folder: Path) -> None:
    """Follow a script and raise what a person would read of it, so that it is looked at."""
    text = _START + data[:MOST_SCRIPT_BYTES].decode("utf-8", "replace")
    placed = {"usr/bin/foo": Entry("usr/bin/foo", "file", 0o755, source=b"x", origin="foo 1")}
    scripts = {"postinst": text, "templates": text}
    package = Package("foo", "1", "amd64", "", "", tuple(placed.values()), scripts)
    _, unknown = effects_of([package], placed, Accounts.on())
    for one in unknown:
        raise BaseError(shown(one.note()))


def _opened(data: bytes, folder: Path) -> None:
    # Of one input several modules, which lead to each other.
    parts = data.split(b"import", 3)
    names = ("m/__init__.py", "m/b.py", "n.py", "m/other.py")
    opened_names({name: partial(bytes, part) for name, part in zip(names, parts, strict=False)}, "app/site")


def _texts(texts: Sequence[str]) -> Sequence[bytes]:
    return [text.encode() for text in texts]


_make_script, _make_python = line_maker(_WORDS), line_maker(_PYTHON_WORDS)


def _opens(rng: random.Random) -> bytes:
    return b"from . import b\nCDLL('x')\n" + _make_python(rng)


DOORS = (
    Door("maintainer-script", _script, partial(_texts, _SCRIPTS), _make_script),
    Door("opened-names", _opened, partial(_texts, _PYTHON), _opens),
)
