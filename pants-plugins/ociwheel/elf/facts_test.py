import io
import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ociwheel_testing.elf_writer import Elf, elf_bytes

from ociwheel.elf.facts import ElfFacts, machine_name
from ociwheel.elf.reader import read_facts
from ociwheel.platforms import PLATFORMS, Platform

_ELF = Elf(
    soname="libdemo.so.1",
    needed=["libc.so.6", "libz.so.1"],
    runpath=["$ORIGIN/../demo.libs", "/opt/lib"],
    interp="/lib64/ld-linux-x86-64.so.2",
    needed_versions={"libc.so.6": ["GLIBC_2.4", "GLIBC_2.17"], "libz.so.1": ["ZLIB_1.2"]},
    weak_versions={"libc.so.6": ["GLIBC_2.99"]},
    defined_versions=["DEMO_1", "DEMO_2"],
)


@pytest.mark.parametrize("row", PLATFORMS, ids=lambda row: row.oci)
def test_facts_of_every_platform(row: Platform) -> None:
    elf = replace(_ELF, machine=row.elf_machine, elf_class=row.elf_class)
    facts = read_facts(io.BytesIO(elf_bytes(elf)), "app/x.so", "demo 1.0")
    assert facts == ElfFacts(
        path="app/x.so",
        machine=row.elf_machine,
        elf_class=row.elf_class,
        soname="libdemo.so.1",
        needed=("libc.so.6", "libz.so.1"),
        runpath=("$ORIGIN/../demo.libs", "/opt/lib"),
        interp="/lib64/ld-linux-x86-64.so.2",
        needed_versions={"libc.so.6": ("GLIBC_2.17", "GLIBC_2.4"), "libz.so.1": ("ZLIB_1.2",)},
        defined_versions=("DEMO_1", "DEMO_2"),
        origin="demo 1.0",
    )
    assert ElfFacts.from_json(facts.to_json()) == facts
    assert machine_name(facts.machine, facts.elf_class) == row.oci


def test_packed_relocations_and_the_version_of_musl() -> None:
    strings = b"\0" + b"127.0.0.1\0" + b"1.2.5\0" + b"musl libc (x86_64)\nVersion %s\nDynamic\0"
    for path in ("lib/ld-musl-x86_64.so.1", "usr/lib/libc.so", "lib/libc.musl-x86_64.so.1"):
        facts = read_facts(io.BytesIO(elf_bytes(Elf(relr=True, rodata=strings))), path, "")
        assert facts is not None
        assert (facts.relr, facts.musl) == (True, "1.2.5")
        assert ElfFacts.from_json(facts.to_json()) == facts
    for path, rodata in (("lib/libother.so", strings), ("lib/libc.so", strings.replace(b"musl", b"some"))):
        facts = read_facts(io.BytesIO(elf_bytes(Elf(rodata=rodata))), path, "")
        assert facts is not None
        assert (facts.relr, facts.musl) == (False, None)


def test_a_path_and_a_stream_that_stays_open(tmp_path: Path) -> None:
    path = tmp_path / "x.so"
    path.write_bytes(elf_bytes(Elf(rpath=["/a"])))
    facts = read_facts(path, "x.so", "")
    assert facts is not None
    assert facts.rpath == ("/a",)
    with path.open("rb") as stream:
        stream.read(7)
        assert read_facts(stream, "x.so", "") == facts
        assert not stream.closed


def test_what_is_not_elf() -> None:
    for data in (b"", b"\x7fEL", b"!<arch>\n", b"#!/bin/sh\n"):
        assert read_facts(io.BytesIO(data), "x", "", note=pytest.fail) is None


def test_a_damaged_file_is_noted(capsys: pytest.CaptureFixture[str]) -> None:
    assert read_facts(io.BytesIO(b"\x7fELF\x02\x01\x01"), "app/x.so", "demo 1.0") is None
    assert capsys.readouterr().err.startswith(
        "note: app/x.so (demo 1.0) is a damaged ELF file, not audited: ELFParseError"
    )


@settings(deadline=2000, max_examples=300)
@given(st.integers(0, 2**32), st.integers(1, 12), st.integers(0, 3000))
def test_mutated_files_end_in_facts_or_a_note(seed: int, changes: int, cut: int) -> None:
    chance = random.Random(seed)  # noqa: S311 (no secret)
    data = bytearray(elf_bytes(_ELF))
    for _ in range(changes):
        data[chance.randrange(4, len(data))] = chance.choice([0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)])
    if cut < len(data):
        del data[max(cut, 4) :]
    notes: list[str] = []
    facts = read_facts(io.BytesIO(bytes(data)), "x", "o", note=notes.append)
    assert (facts is None) == bool(notes)
    if facts is not None:
        assert ElfFacts.from_json(facts.to_json()) == facts
