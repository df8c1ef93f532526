from __future__ import annotations

import dataclasses
import io
import json

import pytest
from ociwheel_testing.elf_writer import Elf, elf_bytes

from ociwheel.build.own_paths import mentions, without_build_paths
from ociwheel.elf.reader import read_facts

FOLDERS = ("/w/.build-1", "/w/sysroot")


@pytest.mark.parametrize("kind", ["rpath", "runpath"])
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("/w/sysroot/usr/lib", ()),
        ("/w/sysroot/usr/lib:$ORIGIN/libs:/w/.build-1", ("$ORIGIN/libs",)),
        ("$ORIGIN/libs:/w/sysroots/x", ("$ORIGIN/libs", "/w/sysroots/x")),
    ],
)
def test_search_paths_of_the_builder_go_and_others_stay(
    kind: str, before: str, after: tuple[str, ...]
) -> None:
    elf = Elf(machine=40, elf_class=32, soname="libx.so", needed=["libc.so.6"])
    paths = before.split(":")
    elf = dataclasses.replace(
        elf, rpath=paths if kind == "rpath" else (), runpath=paths if kind != "rpath" else ()
    )
    data = without_build_paths("x.so", elf_bytes(elf), FOLDERS)
    facts = read_facts(io.BytesIO(data), "x.so", "x 1")
    assert facts is not None
    assert getattr(facts, kind) == after
    assert (facts.soname, facts.needed) == ("libx.so", ("libc.so.6",))
    assert len(data) == len(elf_bytes(elf))
    assert b"/w/sysroot/" not in data


def test_a_library_without_build_paths_stays_as_it_is() -> None:
    data = elf_bytes(Elf(machine=62, elf_class=64, runpath=["$ORIGIN"]))
    assert without_build_paths("x.so", data, FOLDERS) == data
    assert without_build_paths("x.so", data[:70], FOLDERS) == data[:70]


def test_a_bill_of_materials_is_the_same_in_each_build() -> None:
    def bill(serial: str, time: str, folder: str) -> bytes:
        document = {
            "serialNumber": serial,
            "metadata": {"timestamp": time, "component": {"bom-ref": f"path+file://{folder}/src#x@1"}},
        }
        return json.dumps(document).encode()

    name = "x-1.dist-info/sboms/x.cyclonedx.json"
    one = without_build_paths(name, bill("urn:1", "noon", "/w/.build-1"), FOLDERS)
    two = without_build_paths(name, bill("urn:2", "later", "/elsewhere"), ("/elsewhere",))
    assert one == two
    assert json.loads(one) == {"metadata": {"component": {"bom-ref": "path+file:///build/src#x@1"}}}
    assert without_build_paths(name, b"{", FOLDERS) == b"{"


def test_texts_name_no_place_and_other_files_are_left_to_the_check() -> None:
    text = b'path = "/w/.build-1/venv/bin/python"\n'
    assert without_build_paths("x/__config__.py", text, FOLDERS) == b'path = "/build/venv/bin/python"\n'
    assert without_build_paths("x/data.bin", text, FOLDERS) == text


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("see https://tools.ietf.org/html/rfc3339", False),
        ("https://example.com/tools/x", False),
        ("src/tools", False),
        ("/toolset /tools-1 /tools.txt", False),
        ("/tools", True),
        ("/tools/usr/bin:/bin", True),
        ("-I/tools/include", True),
        ("-isystem/tools/include", True),
        ("--prefix=/tools", True),
        ('PATH="/bin:/tools"', True),
        ("file:///tools/x", True),
    ],
)
def test_a_folder_of_a_sandbox_that_is_the_root_is_told_from_words(text: str, found: bool) -> None:
    """Remote workers may run a build in ``/``: a link in its METADATA was taken for a place of the build."""
    assert bool(mentions("/tools").search(text.encode())) == found
    assert (without_build_paths("x.txt", text.encode(), ["/tools"]) != text.encode()) == found


def test_a_folder_of_the_builds_own_is_found_wherever_it_stands() -> None:
    assert mentions("/.build-1").search(b"https:/.build-1x")
    assert mentions("/w/tools").search(b"https:/w/tools.example.com")
