from __future__ import annotations

from pathlib import Path

import pytest

from ociwheel.build.toolchain import _preprocessor_flags
from ociwheel.errors import BuildError


def test_include_folders_are_named_from_the_compilers_own() -> None:
    words = ["-cc1", "-isystem", "/x/zig/lib/libcxx/include", "-D_LIBCPP_ABI_VERSION=1", "-O2"]
    assert _preprocessor_flags(words, Path("/x/zig")) == [
        "-isystem",
        "{zig}/libcxx/include",
        "-D_LIBCPP_ABI_VERSION=1",
    ]


def test_a_folder_outside_the_compiler_would_be_a_place_in_the_output() -> None:
    """As when the compiler's tree is a link, and it names its folders as they are behind it."""
    with pytest.raises(BuildError) as e:
        _preprocessor_flags(["-isystem", "/elsewhere/lib/include"], Path("/x/zig"))
    assert str(e.value) == "the compiler includes /elsewhere/lib/include, which is outside its own /x/zig/lib"
