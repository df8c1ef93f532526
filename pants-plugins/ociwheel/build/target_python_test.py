from __future__ import annotations

from pathlib import Path

import pytest

from ociwheel.build.target_python import rewrite


@pytest.mark.parametrize(
    ("native", "hardened"),
    [
        (
            "-Wsign-compare -g -fstack-protector-strong -Wformat -DNDEBUG -g -fwrapv -O2 -Wall",
            True,
        ),  # Debian's
        ("-fno-strict-overflow -Wsign-compare -DNDEBUG -g -O3 -Wall", False),  # of python's images
    ],
)
def test_extensions_are_hardened_where_the_target_s_python_says_so(native: str, hardened: bool) -> None:
    """Without it a module of Debian's gcc needs libc.so.6, for __stack_chk_fail, and ours did not."""
    values = rewrite({"CFLAGS": native}, Path("/s"), Path("/s/usr/include/python3.11"), "x86_64-linux-gnu")
    for name in ("CFLAGS", "PY_CFLAGS"):
        assert ("-fstack-protector-strong" in values[name].split()) is hardened
        assert {"-DNDEBUG", "-O2"} <= set(values[name].split())
