"""Whoever builds the table does what messages say: the documents are those of real errors."""

from __future__ import annotations

from bench.table.following import Choice, follow
from bench.table.report import Row, unlike
from ociwheel.build.diagnose import Context, diagnose
from ociwheel.elf.audit import Fault
from ociwheel.elf.audit_step import audit_error
from ociwheel.errors import BuildError
from ociwheel.platforms import platform
from ociwheel.remedies import Remedy
from ociwheel.target import Target

CONTEXT = Context("demo", "default", "the base", Target(platform("linux/arm/v7"), "3.11.2", "glibc", (2, 36)))


def test_packages_of_headers_and_libraries_are_added_together() -> None:
    output = ["a.c:1:1: fatal error: 'yaml.h' file not found", "ld.lld: error: unable to find library -lpq"]
    said = follow(diagnose(output, CONTEXT).to_json(), Choice(("libfoo-dev",)))
    assert said == Choice(("libfoo-dev", "libpq-dev", "libyaml-dev"))


def test_gcc_is_taken_where_it_is_told() -> None:
    output = ["x.c:6:22: error: function definition is not allowed here"]
    assert follow(diagnose(output, CONTEXT).to_json(), Choice()) == Choice(compiler="gcc")


def test_the_audit_adds_to_the_packages_of_the_base() -> None:
    faults = tuple(Fault("demo 1", "x.so", f"lib{n}.so.1", "is not there", f"lib{n}-1") for n in "ab")
    assert follow(audit_error(faults, "linux/arm/v7").to_json(), Choice()) == Choice(
        packages=("liba-1", "libb-1")
    )


def test_errors_within_an_error_are_followed_too() -> None:
    inner = BuildError("x", hint=Remedy("add-builder-package", {"package": "liba-dev", "base": "b"}))
    assert follow(BuildError("y", errors=[inner]).to_json(), Choice()) == Choice(("liba-dev",))


def test_what_names_nothing_to_add_changes_nothing() -> None:
    for remedy in (None, Remedy("mark-pure"), Remedy("find-builder-package", {"file": "x.h", "base": "b"})):
        assert follow(BuildError("x", hint=remedy).to_json(), Choice(("a",))) == Choice(("a",))
    assert follow({}, Choice()) == Choice()


def test_a_row_is_read_as_it_was_written() -> None:
    row = Row("setuptools", Choice(("a",), ("b",), "gcc", ("bookworm-security",)), native={"ok": True})
    assert Row.from_json(row.to_json()) == row


def test_what_differs_from_a_native_build_is_told_by_file_and_library() -> None:
    same = {"a.so": ["libc.so.6"]}
    assert unlike(same, same) == []
    assert unlike(
        {"a.so": ["libc.so.6", "libm.so.6"], "ours.so": []}, {"a.so": ["libc.so.6", "libz.so.1"], "b.so": []}
    ) == [
        "`ours.so` is in ours alone",
        "`b.so` is in the native one alone",
        "`a.so` names libm.so.6 in ours alone",
        "`a.so` names libz.so.1 in the native one alone",
    ]
