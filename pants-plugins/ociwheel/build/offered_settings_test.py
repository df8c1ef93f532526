from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ociwheel.build.offered_settings import OPTION, VARIABLE, Offered, offered


@pytest.mark.parametrize("file", ["meson.options", "meson_options.txt"])
def test_options_of_meson_that_take_a_library_of_the_system(tmp_path: Path, file: str) -> None:
    (tmp_path / file).write_text(
        "# option('system-zlib', type: 'boolean')\n"
        "option('system-freetype', type: 'boolean', value: false,\n       description: 'Of the system')\n"
        "option('use_system_blas', type : 'feature')\noption('system-name', type: 'string')\n"
        "option('macosx', type: 'boolean', value: true)\n"
    )
    assert offered(tmp_path) == Offered(options=("system-freetype=true", "use_system_blas=enabled"))


def test_variables_that_a_setup_py_reads_but_for_those_of_all(tmp_path: Path) -> None:
    (tmp_path / "setup.py").write_text(
        "import os\nfrom os import environ, getenv\n"
        "a = os.environ.get('DEMO_DETECT', 'true')\nb = os.environ[\"DEMO_LIB\"]\nc = getenv( 'DEMO_INCLUDE')\n"
        "os.environ.get('DEMO_LIB')\nos.environ['PATH'], environ.get('CFLAGS'), getenv('SETUPTOOLS_X')\n"
        "os.environ.get(name)\n"
    )
    assert offered(tmp_path).variables == ("DEMO_DETECT", "DEMO_LIB", "DEMO_INCLUDE")


def test_an_sdist_without_either(tmp_path: Path) -> None:
    (tmp_path / "setup.py").mkdir()
    assert offered(tmp_path) == Offered()


@given(st.text(alphabet="option('system-a', type: 'boolean')environ.get(ABC)\n", max_size=120) | st.text())
def test_any_text_gives_what_the_answer_may_hold(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    folder = tmp_path_factory.mktemp("any")
    for name in ("meson.options", "setup.py"):
        (folder / name).write_text(text, encoding="utf-8", errors="replace")
    found = offered(folder)
    assert all(OPTION.fullmatch(one) for one in found.options)
    assert all(VARIABLE.fullmatch(one) for one in found.variables)
