from __future__ import annotations

from functools import partial

from ociwheel.layer.opened import OpenedNames, opened_names

_SITE = "app/site"


def _opened(sources: list[bytes]) -> OpenedNames | None:
    return opened_names({f"a/{n}.py": partial(bytes, data) for n, data in enumerate(sources)}, _SITE)


def test_names_beside_calls_that_open_libraries() -> None:
    found = _opened(
        [
            b"import os\npath = os.path.join(here, 'lib', 'lib_lightgbm.so')\n",
            b"lib = ctypes.cdll.LoadLibrary(find())\n",
            b"m = CDLL(find_library('magic') or 'libmagic.so.1')\ng = _dlopen(ffi, 'gobject-2.0', 'libgobject-2.0.so.0')\n",
        ]
    )
    assert found is not None
    assert found.to_json() == {
        "files": ["lib_lightgbm.so", "libgobject-2.0.so.0", "libmagic.so.1"],
        "calls": [["gobject-2.0", "libgobject-2.0.so.0"], ["magic"]],
    }


def test_names_in_lists_of_names_to_try() -> None:
    found = _opened([b"cairo = dlopen(ffi, ('cairo-2', 'cairo'), ['libcairo.so.2', (name, 1)])\n"])
    assert found is not None
    assert found.calls == (("cairo-2", "cairo", "libcairo.so.2"),)


def test_without_a_call_names_are_only_words() -> None:
    assert _opened([b"NAME = 'lib_x.so'\n", b"def load(): ...\n"]) is None
    assert _opened([]) is None


def test_code_that_does_not_parse_or_is_huge_is_passed_over() -> None:
    assert _opened([b"CDLL('libx.so.1') = \n"]) is not None
    assert _opened([b"CDLL('libx.so.1')\n" + b"#" * (5 << 20)]) is None
    assert _opened([b"CDLL('a b')\nCDLL(1)\nCDLL()\n"]) is None
