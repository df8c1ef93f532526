"""Which calls are certain: code as distributions have it, and the like of it that may do without."""

from __future__ import annotations

from functools import partial

import pytest

from ociwheel.layer.import_time import AtImport
from ociwheel.layer.opened import opened_names
from tests.support.opening import CAIROCFFI, MAGIC, WEASYPRINT


def _early(modules: dict[str, str]) -> list[tuple[str, tuple[str, ...]]]:
    found = opened_names({path: partial(str.encode, text) for path, text in modules.items()}, "site")
    return [(one.path, one.names) for one in found.at_import] if found else []


def test_wrappers_that_raise_and_those_that_may_fail() -> None:
    assert _early({"cairocffi/__init__.py": CAIROCFFI}) == [
        ("site/cairocffi/__init__.py", ("cairo-2", "cairo", "libcairo.so.2", "libcairo-2.dll"))
    ]
    modules = {
        "weasyprint/__init__.py": "from .document import (  # noqa\n    Document,\n    Page)\n",
        "weasyprint/document.py": "import io\nfrom .text import fonts\n",
        "weasyprint/text/__init__.py": "",
        "weasyprint/text/fonts.py": "from ..text.ffi import pango\n",
        "weasyprint/text/ffi.py": WEASYPRINT,
    }
    assert _early(modules) == [("site/weasyprint/text/ffi.py", ("pango-1.0-0", "libpango-1.0.so.0"))]
    # Nothing that is imported imports it.
    modules["weasyprint/document.py"] = "def render():\n    from .text import fonts\n"
    assert _early(modules) == []


def test_a_function_that_searches_and_raises() -> None:
    modules = {
        "magic/__init__.py": "from . import loader\nlibmagic = loader.load_lib()\n",
        "magic/loader.py": MAGIC,
    }
    assert _early(modules) == [("site/magic/loader.py", ("magic",))]
    # Called later, or without being missed.
    modules["magic/__init__.py"] = "from .loader import load_lib\ndef use():\n    return load_lib()\n"
    assert _early(modules) == []
    modules["magic/__init__.py"] = "from .loader import load_lib\nlibmagic = load_lib()\n"
    assert _early(modules) == [("site/magic/loader.py", ("magic",))]
    modules["magic/loader.py"] = MAGIC.replace("raise ImportError", "print")
    assert _early(modules) == []


@pytest.mark.parametrize(
    "code",
    [
        "ctypes.CDLL('libx.so.1', mode=ctypes.RTLD_GLOBAL)\n",
        "_lib = cdll.LoadLibrary('libx.so.1').start\n",
        "def load():\n    lib = CDLL('libx.so.1')\n    return lib\nload()\n",
        "class C:\n    lib = CDLL('libx.so.1')\n",
        "with open(__file__) as f:\n    CDLL('libx.so.1')\n",
        "import other\nX: int = f(CDLL('libx.so.1')) if 1 else 2\nCDLL('libx.so.1')\n",
        "a = 1\nimport m.inner as inner\ninner.go()\n",
    ],
)
def test_calls_that_are_certain(code: str) -> None:
    inner = "def go():\n    CDLL('libx.so.1')\n"
    found = _early({"m/__init__.py": code, "m/inner.py": inner})
    assert [names for _, names in found] == [("libx.so.1",)]


@pytest.mark.parametrize(
    "code",
    [
        "try:\n    CDLL('libx.so.1')\nexcept OSError:\n    pass\n",
        "if sys.platform == 'win32':\n    CDLL('libx.so.1')\n",
        "for name in names:\n    CDLL('libx.so.1')\n",
        "with suppress(OSError):\n    CDLL('libx.so.1')\n",
        "def load():\n    CDLL('libx.so.1')\n",
        "def load():\n    if os.environ.get('X'):\n        return None\n    return CDLL('libx.so.1')\nload()\n",
        "load = lambda: CDLL('libx.so.1')\n",
        "lib = known and CDLL('libx.so.1')\n",
        "lib = CDLL('libx.so.1') if known else None\n",
        "libs = [CDLL('libx.so.1') for _ in ()]\n",
        "lib = CDLL(find_library('x'))\n",
        "lib = find_library('x')\n",
        "lib = CDLL('libx.so.1', or_none=True)\n",
        "def load_library(name):\n    return None\nlib = load_library('x')\n",
        "def again():\n    again()\nagain()\nload_library('x')\n",
        "raise ImportError\nCDLL('libx.so.1')\n",
    ],
)
def test_calls_that_are_not(code: str) -> None:
    assert _early({"m.py": code}) == []


def test_what_is_not_imported_with_the_distribution() -> None:
    call = "CDLL('libx.so.1')\n"
    assert _early({"m/__init__.py": "", "m/other.py": call, "no-package/__init__.py": call}) == []
    assert (
        _early({"m/__init__.py": "try:\n    from . import other\nexcept OSError: ...\n", "m/other.py": call})
        == []
    )
    assert _early({"m/__init__.py": "from .... import other\n", "m/other.py": call}) == []
    assert _early({"m/__init__.py": "import (\n", "m/other.py": call}) == []
    deep = {"m/__init__.py": "import m.a.b\n", "m/a/__init__.py": call, "m/a/b.py": ""}
    assert _early(deep) == [("site/m/a/__init__.py", ("libx.so.1",))]


def test_the_item_of_the_document() -> None:
    found = opened_names({"m.py": partial(bytes, b"CDLL('libx.so.1')\n")}, "app/site")
    assert found is not None
    assert found.at_import == (AtImport("app/site/m.py", ("libx.so.1",)),)
    assert found.to_json()["at_import"] == [{"path": "app/site/m.py", "names": ["libx.so.1"]}]
