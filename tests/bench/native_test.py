"""What ``bench/native_needed`` says of builds that differ."""

from __future__ import annotations

from bench.native.cli import differences

HOST = "linux/amd64"
LIBC, LIBM = "libc.so.6", "libm.so.6"


def test_a_library_more_is_told_with_what_is_taken_from_it() -> None:
    rows = {
        "native": {"ujson": (LIBC,), "same": (LIBC,)},
        HOST: {"ujson": (LIBC, LIBM), "same": (LIBC,)},
        "taken": {"ujson": {LIBM: ("ceil",)}},
    }
    assert differences({"ujson 6.1.0": rows}, HOST) == [
        f"ujson 6.1.0: ujson needs {(LIBC, LIBM)}, built natively {(LIBC,)}; ceil of {LIBM}"
    ]


def test_a_module_less_is_a_difference_and_other_platforms_are_compared_with_nothing() -> None:
    lost = {"native": {"a": (LIBC,), "b": (LIBC,)}, HOST: {"a": (LIBC,)}, "taken": {}}
    assert differences({"x 1": lost}, HOST) == [f"x 1: b needs None, built natively {(LIBC,)}"]
    arm = {"native": {"a": (LIBC,)}, "linux/arm64": {"a": (LIBM,)}}
    assert differences({"x 1": arm}, HOST) == []
