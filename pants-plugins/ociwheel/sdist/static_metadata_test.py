"""Requirements that stand literally in an sdist's sources; everything else is unknown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ociwheel.sdist.static_metadata import (
    from_pyproject,
    from_setup_cfg,
    from_setup_py,
    from_sources,
    with_marker,
)


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("from setuptools import setup\nsetup()", ()),
        ("import setuptools\nsetuptools.setup(install_requires=['a', 'b>=1'])", ("a", "b>=1")),
        ("needs = ['a']\nsetup(install_requires=needs)", ("a",)),
        ("setup(install_requires='a\\nb')", ("a", "b")),
        ("args = {'install_requires': ['a']}\nsetup(**args)", ("a",)),
        (
            "setup(extras_require={'x': ['a'], ':os_name==\"nt\"': ['b']})",
            ('a ; extra == "x"', 'b ; os_name=="nt"'),
        ),
        ("needs = ['a']\nneeds.append('b')\nsetup(install_requires=needs)", None),
        ("needs = ['a']\nneeds += ['b']\nsetup(install_requires=needs)", None),
        ("needs = open('x').read()\nsetup(install_requires=needs)", None),
        ("setup(install_requires=read('requirements.txt'))", None),
        ("setup(**args())", None),
        ("if x:\n setup(install_requires=['a'])\nelse:\n setup()", None),
        ("print('no setup')", None),
        ("this is no Python", None),
    ],
)
def test_setup_py(script: str, expected: tuple[str, ...] | None) -> None:
    assert from_setup_py(script) == expected


def test_setup_cfg() -> None:
    text = "[options]\ninstall_requires =\n  a\n  b>=1\n[options.extras_require]\nx = c\n"
    assert from_setup_cfg(text) == ("a", "b>=1", 'c ; extra == "x"')
    assert from_setup_cfg("[metadata]\nname = x\n") == ()
    assert from_setup_cfg("[options]\ninstall_requires = file: requirements.txt\n") is None
    assert from_setup_cfg("nothing") is None


def test_pyproject() -> None:
    text = '[project]\nname = "x"\ndependencies = ["a"]\n[project.optional-dependencies]\nx = ["b"]\n'
    assert from_pyproject(text) == ("a", 'b ; extra == "x"')
    assert from_pyproject('[project]\ndynamic = ["dependencies"]\n') is None
    assert from_pyproject("[build-system]\n") is None
    assert from_pyproject("= no toml") is None


def test_the_order_of_sources() -> None:
    config = "[options]\ninstall_requires = b\n"
    assert from_sources({"setup.py": "setup()", "setup.cfg": config}) == ("b",)
    assert from_sources({"setup.py": "setup(install_requires=['a'])", "setup.cfg": config}) == ("a",)
    assert from_sources({"pyproject.toml": "", "setup.py": "setup(install_requires=['a'])"}) == ("a",)
    assert from_sources({"setup.py": "x(", "setup.cfg": config}) is None
    assert from_sources({"pyproject.toml": ""}) is None
    assert from_sources({}) is None


def test_markers_are_joined() -> None:
    assert with_marker("a>=1") == "a>=1"
    assert with_marker("a; x or y", "", 'extra == "e"') == 'a ; (x or y) and extra == "e"'


@given(st.text(max_size=200))
def test_any_text_is_read_or_unknown(text: str) -> None:
    from_setup_py(text)
    from_setup_cfg(text)
    from_pyproject(text)
