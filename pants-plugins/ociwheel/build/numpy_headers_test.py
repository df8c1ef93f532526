from __future__ import annotations

from pathlib import Path

import pytest

from ociwheel.build.numpy_headers import write_sizes
from ociwheel.platforms import platform

# As a wheel for x86_64 has them.
HEADER = """\
#define NPY_SIZEOF_INT 4
#define NPY_SIZEOF_LONG 8
#define NPY_SIZEOF_LONGDOUBLE 16
#define NPY_SIZEOF_COMPLEX_LONGDOUBLE 32
# define NPY_SIZEOF_PY_INTPTR_T 8
#define NPY_SIZEOF_INTP 8
#define NPY_SIZEOF_PY_LONG_LONG 8
#define NPY_ABI_VERSION 0x02000000
"""
OF_TARGET = """\
#define NPY_SIZEOF_INT 4
#define NPY_SIZEOF_LONG __SIZEOF_LONG__
#define NPY_SIZEOF_LONGDOUBLE __SIZEOF_LONG_DOUBLE__
#define NPY_SIZEOF_COMPLEX_LONGDOUBLE (2 * __SIZEOF_LONG_DOUBLE__)
# define NPY_SIZEOF_PY_INTPTR_T __SIZEOF_POINTER__
#define NPY_SIZEOF_INTP __SIZEOF_POINTER__
#define NPY_SIZEOF_PY_LONG_LONG 8
#define NPY_ABI_VERSION 0x02000000
"""


@pytest.mark.parametrize("core", ["_core", "core"])
@pytest.mark.parametrize(("oci", "expected"), [("linux/arm/v7", OF_TARGET), ("linux/arm64", HEADER)])
def test_a_32_bit_target_has_its_own_sizes(tmp_path: Path, core: str, oci: str, expected: str) -> None:
    content = tmp_path / "content.h"
    content.write_text(HEADER)
    header = tmp_path / "numpy" / core / "include/numpy/_numpyconfig.h"
    header.parent.mkdir(parents=True)
    header.hardlink_to(content)
    write_sizes(tmp_path, platform(oci))
    assert header.read_text() == expected
    assert content.read_text() == HEADER


def test_an_environment_without_numpy_stays_as_it_is(tmp_path: Path) -> None:
    write_sizes(tmp_path, platform("linux/arm/v7"))
    assert list(tmp_path.iterdir()) == []
