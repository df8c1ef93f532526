from __future__ import annotations

import json
from pathlib import Path

import pytest

from ociwheel.build.target_python import library_folder, rewrite, write_target_python
from ociwheel.platforms import platform
from ociwheel.target import Target


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


def test_headers_are_where_the_library_s_folder_leads(tmp_path: Path) -> None:
    """cryptography's build script goes from PYO3_CROSS_LIB_DIR two up, and to include/pythonX.Y."""
    sysroot, prefix = tmp_path / "sysroot", tmp_path / "python"
    row = platform("linux/arm/v7")
    for name, text in (
        (f"lib/python3.11/_sysconfigdata__{row.triplet}.py", "build_time_vars = {'CC': 'gcc'}\n"),
        ("include/python3.11/Python.h", ""),
    ):
        (sysroot / "usr" / name).parent.mkdir(parents=True)
        (sysroot / "usr" / name).write_text(text)
    fields = {"platform": row.oci, "python": "3.11.2", "libc": "glibc", "libc_version": "2.36"}
    (tmp_path / "target.json").write_text(json.dumps({"schema": "ociwheel.target/1", **fields}))
    target = Target.read(tmp_path / "target.json")
    variables = write_target_python(sysroot, target, prefix)
    library = library_folder(prefix, target)
    assert variables["PYTHONPATH"] == str(library)
    assert [path.name for path in library.glob("_sysconfigdata*")] == [
        f"{variables['_PYTHON_SYSCONFIGDATA_NAME']}.py"
    ]
    assert (library.parents[1] / "include" / library.name / "Python.h").is_file()
