from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ociwheel.build.compiler import Configuration, _kept, main, rewrite

ARM = Configuration(
    zig="/z/zig",
    linker="/b/bin/ld.lld",
    flags=("--target=arm-linux-gnueabihf", "--sysroot=/s"),
    c=("-isystem", "/z/lib/include"),
    cxx=("-isystem", "/z/lib/libcxx/include", "-isystem", "/z/lib/include"),
    sysroot="/s",
    triplet="arm-linux-gnueabihf",
    runtime="/r/lib",
    libraries=("libc++.a", "libc.so.6"),
    dynamic_linker="/lib/ld-linux-armhf.so.3",
    kept_roots=("/b",),
)


def kept(*arguments: str) -> list[str]:
    return _kept(list(arguments), ARM)


def test_compiling() -> None:
    assert rewrite(["-g", "-DX", "-c", "a.c", "-o", "a.o"], cxx=False, config=ARM) == [
        "--no-default-config",
        "--target=arm-linux-gnueabihf",
        "--sysroot=/s",
        "-nostdinc",
        "-fPIC",
        "-Qunused-arguments",
        "-Wno-unknown-warning-option",
        "-O2",
        "-DX",
        "-c",
        "a.c",
        "-o",
        "a.o",
        "-g0",
        "-isystem",
        "/z/lib/include",
        "-idirafter",
        "/s/usr/include/arm-linux-gnueabihf",
        "-idirafter",
        "/s/usr/include",
    ]


def test_linking_a_shared_library_ends_with_the_runtime() -> None:
    command = rewrite(["-shared", "a.o", "-lyaml", "-o", "a.so"], cxx=False, config=ARM)
    assert command[-4:] == [
        "-Wl,--push-state,--as-needed",
        "/r/lib/libc++.a",
        "/r/lib/libc.so.6",
        "-Wl,--pop-state",
    ]
    assert "-lyaml" in command
    assert "-nostdlib" in command
    assert not any("crt1.o" in word for word in command)


def test_linking_a_program_has_start_files() -> None:
    assert "/r/lib/Scrt1.o" in rewrite(["a.o", "-o", "a"], cxx=False, config=ARM)
    assert "/r/lib/crt1.o" in rewrite(["a.o", "-no-pie", "-o", "a"], cxx=False, config=ARM)


def test_compiling_alone_does_not_link() -> None:
    assert not any("-Wl," in word for word in rewrite(["-c", "a.c"], cxx=False, config=ARM))


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("cc", ["-c", "a.cpp", "-o", "a.o"]),
        ("c++", ["-shared", "a.o", "-o", "a.so"]),
        ("cc", ["-shared", "a.o", "-lstdc++", "-o", "a.so"]),
        ("cc", ["-shared", "a.o", "-lgcc_s", "-o", "a.so"]),
    ],
)
def test_cxx_without_libcxx_stops_and_leaves_word(tmp_path: Path, tool: str, arguments: list[str]) -> None:
    marker = tmp_path / "wants"
    config = dataclasses.replace(ARM, zig="/nonexistent", cxx=None, wants_cxx=str(marker))
    settings = tmp_path / "compiler.json"
    settings.write_text(json.dumps(dataclasses.asdict(config)))
    with pytest.raises(SystemExit, match="no libc"):
        main(["compiler.py", str(settings), tool, *arguments])
    assert marker.exists()


@pytest.mark.parametrize(("tool", "arguments"), [("c++", ["--version"]), ("cc", ["-c", "a.c"])])
def test_c_and_questions_need_no_libcxx(tmp_path: Path, tool: str, arguments: list[str]) -> None:
    marker = tmp_path / "wants"
    config = dataclasses.replace(ARM, zig="/nonexistent", cxx=None, wants_cxx=str(marker))
    settings = tmp_path / "compiler.json"
    settings.write_text(json.dumps(dataclasses.asdict(config)))
    with pytest.raises(FileNotFoundError):  # the compiler that it went on to start
        main(["compiler.py", str(settings), tool, *arguments])
    assert not marker.exists()


def test_an_optimization_level_stays() -> None:
    command = rewrite(["-O0", "-c", "a.c"], cxx=False, config=ARM)
    assert [word for word in command if word.startswith("-O")] == ["-O0"]


def test_questions_are_passed_on() -> None:
    assert rewrite(["--version"], cxx=False, config=ARM) == ["--version"]


def test_a_program_on_standard_input_is_c() -> None:
    assert kept("-E", "-dM", "-") == ["-E", "-dM", "-x", "c", "-"]
    assert kept("-x", "c++", "-E", "-") == ["-x", "c++", "-E", "-"]


def test_what_belongs_to_gcc_or_to_this_machine_goes() -> None:
    assert kept("-flto=auto", "-ggdb3", "-lstdc++", "-lgcc_s", "-march=native", "-static-libgcc") == []
    assert kept("-fcf-protection", "-msse4.2") == []
    assert kept("-gen-cdb-fragment-path", "x") == ["-gen-cdb-fragment-path", "x"]


def test_folders_of_the_system_become_those_of_the_sysroot() -> None:
    assert kept("-I/usr/include", "-I/s/usr/include", "-I", "/usr/include/arm-linux-gnueabihf") == []
    assert kept("-L/usr/local/lib", "-I/opt/homebrew/include") == []  # the sysroot has none
    assert kept("-I/s/usr/include/python3.11") == ["-I/s/usr/include/python3.11"]
    assert kept("-I/b/src/include", "-Iinclude", "-L", "/other/lib") == [
        "-I/b/src/include",
        "-Iinclude",
        "-L",
        "/other/lib",
    ]


def test_relative_relocations_that_need_a_newer_glibc_go() -> None:
    assert kept("-Wl,-z,relro,-z,pack-relative-relocs,-z,now") == ["-Wl,-z,relro,-z,now"]
    assert kept("-Wl,-z,pack-relative-relocs") == []
    assert kept("-Wl,-Bsymbolic-functions,--exclude-libs,ALL") == [
        "-Wl,-Bsymbolic-functions,--exclude-libs,ALL"
    ]


KNOWN = ["-g", "-O3", "-flto", "-I/usr/include", "-L/usr/lib", "-c", "a.c", "-o", "-", "-x", "-lstdc++", "-D"]
words = st.lists(st.sampled_from(KNOWN) | st.text("abcXYZ-=,/.+", min_size=1, max_size=12), max_size=12)


@given(words)
def test_rewriting_twice_is_rewriting_once(arguments: list[str]) -> None:
    once = _kept(arguments, ARM)
    assert _kept(once, ARM) == once


@given(st.lists(st.from_regex(r"-(W|f|m|D|U|std=)[q-z]{1,8}(=[q-z]{1,5})?", fullmatch=True), max_size=8))
def test_no_unknown_flag_is_dropped(arguments: list[str]) -> None:
    assert _kept(arguments, ARM) == arguments


@given(words)
def test_sources_and_objects_stay_in_order(arguments: list[str]) -> None:
    files = [word for word in arguments if not word.startswith("-")]
    result = [word for word in _kept(arguments, ARM) if not word.startswith("-")]
    remaining = iter(result)
    assert all(
        any(word == file for word in remaining) for file in files if "/" not in file and "z" not in file
    )
