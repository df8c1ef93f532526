"""Debug information of files that a real compiler made; binutils judge, and the loader."""

from __future__ import annotations

import ctypes
import io
import subprocess
from pathlib import Path
from typing import Any

import pytest
from elftools.elf.elffile import ELFFile
from hypothesis import given, settings
from hypothesis import strategies as st

from ociwheel.elf.reader import read_facts
from ociwheel.elf.strip import without_debug

SOURCE = """\
static const char text[] = "a table of the module";
static int counter;
__attribute__((visibility("default"))) int answer(int by) { counter += by; return 40 + counter + (text[0] == 'b'); }
"""


def compiled(folder: Path, *options: str) -> bytes:
    source, output = folder / "demo.c", folder / "demo.so"
    source.write_text(SOURCE)
    command = ["gcc", "-g", "-O1", "-shared", "-fPIC", *options, str(source), "-o", str(output)]
    subprocess.run(command, check=True, capture_output=True)
    return output.read_bytes()


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return compiled(tmp_path_factory.mktemp("gcc"))


def stripped(data: bytes) -> bytes | None:
    found = without_debug(io.BytesIO(data))
    if found is None:
        return None
    parts = []
    while chunk := found.read(1000):
        parts.append(chunk)
    return b"".join(parts)


def sections(data: bytes) -> dict[str, bytes]:
    elf: Any = ELFFile(io.BytesIO(data))
    return {
        section.name: b"" if section.header["sh_type"] == "SHT_NOBITS" else section.data()
        for section in elf.iter_sections()
        if section.name
    }


def loaded(data: bytes) -> list[tuple[dict[str, int], bytes]]:
    elf: Any = ELFFile(io.BytesIO(data))
    # The ELF header is in a segment, and says where section headers are.
    skipped = elf.header["e_ehsize"]
    return [
        (dict(one.header), one.data()[skipped if not one.header["p_offset"] else 0 :])
        for one in elf.iter_segments()
    ]


@pytest.mark.parametrize("bits", ["-m64", "-m32"])
def test_what_is_loaded_stays_and_debug_sections_go(tmp_path: Path, bits: str) -> None:
    before = compiled(tmp_path, bits, "-nostdlib")
    after = stripped(before)
    assert after is not None
    assert len(after) < len(before)
    assert loaded(after) == loaded(before)
    kept = {name: data for name, data in sections(before).items() if not name.startswith(".debug_")}
    assert len(kept) < len(sections(before))
    assert sections(after) == kept
    assert read_facts(io.BytesIO(after), "x", "x") == read_facts(io.BytesIO(before), "x", "x")
    assert stripped(after) is None


def test_it_is_loaded_and_binutils_find_nothing_wrong(tmp_path: Path, library: bytes) -> None:
    after = stripped(library)
    assert after is not None
    file, theirs = tmp_path / "after.so", tmp_path / "theirs.so"
    file.write_bytes(after)
    assert ctypes.CDLL(str(file)).answer(2) == 42
    for command in (["readelf", "--all", "--wide"], ["objdump", "--all-headers", "--syms"], ["nm"]):
        done = subprocess.run([*command, str(file)], check=True, capture_output=True, text=True)
        assert done.stderr == ""
        assert "Warning" not in done.stdout
    (tmp_path / "before.so").write_bytes(library)
    strip = ["strip", "--strip-debug", "-o", str(theirs), str(tmp_path / "before.so")]
    subprocess.run(strip, check=True, capture_output=True)
    # A header of no section and a symbol for each section that is left out are all that binutils save more.
    assert len(after) <= theirs.stat().st_size + 2048


def test_a_file_that_is_unusual_stays(tmp_path: Path, library: bytes) -> None:
    objects = compiled(tmp_path, "-c")
    assert b".debug_info" in objects
    assert stripped(objects) is None
    assert stripped(library + b"an archive that the program looks for from its end") is None
    assert stripped(b"") is None
    assert stripped(b"\x7fELF") is None
    aligned = bytearray(library)
    table, size = int.from_bytes(library[0x28:0x30], "little"), 64
    for header in range(table, len(library), size):
        aligned[header + 48 : header + 56] = (1 << 60).to_bytes(8, "little")
    assert stripped(bytes(aligned)) is None
    assert stripped(b"#!/bin/sh\n") is None


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_damaged_files_are_no_error_and_never_grow(library: bytes, data: st.DataObject) -> None:
    header_table = int.from_bytes(library[0x28:0x30], "little")
    places = st.one_of(st.integers(0, 63), st.integers(header_table, len(library) - 1))
    damaged = bytearray(library)
    for place in data.draw(st.lists(places, min_size=1, max_size=4)):
        damaged[place] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(library)))
    for text in (bytes(damaged), library[:cut]):
        after = stripped(text)
        assert after is None or len(after) <= len(text) + 4096
