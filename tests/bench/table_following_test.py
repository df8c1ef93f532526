"""Whoever builds the table does what messages say: the documents are those of real errors."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bench.table.building import Result
from bench.table.following import Choice, follow
from bench.table.listing import Distribution, Listing, Package
from bench.table.report import Results, Row, unlike
from ociwheel.build.diagnose import Context, diagnose
from ociwheel.build.offered_settings import Offered
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


def test_options_of_meson_are_set_and_their_packages_added() -> None:
    output = [
        "ERROR: Subproject freetype2 is buildable: NO",
        "ERROR: could not get https://x.invalid/f.tar.xz",
    ]
    offers = Offered(options=("system-freetype=true",))
    said = follow(diagnose(output, replace(CONTEXT, offers=offers)).to_json(), Choice())
    assert said == Choice(("libfreetype-dev",), setup_args=("-Dsystem-freetype=true",))
    assert said.words() == "`-Dsystem-freetype=true`"


def test_a_row_is_read_as_it_was_written() -> None:
    choice = Choice(("a",), ("b",), "gcc", ("bookworm-security",), ("-Da=true",))
    row = Row("setuptools", choice, native={"ok": True})
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


def test_what_was_not_tried_counts_against_the_share_of_what_builds_natively() -> None:
    arm, base = "linux/arm/v7", {"platforms": ["linux/arm/v7"], "suites": ["bookworm"], "python": "3.11"}
    natively = {"ok": True, "reason": "", "elf": {}}
    not_so = {"ok": False, "reason": "error: no", "elf": {}}
    rows = {
        "built": Row(platforms={arm: Result(arm, True, 1.0)}, native=natively),
        "stopped": Row(
            platforms={arm: Result(arm, False, 1.0, "built, but does not run:\nTraceback\nImportError: x")},
            native=natively,
        ),
        "untried": Row(native=natively),
        "nowhere": Row(platforms={arm: Result(arm, True, 1.0)}, native=not_so),
        "unknown": Row(platforms={arm: Result(arm, True, 1.0)}),
        "broken": Row(
            platforms={arm: Result(arm, False, 1.0, "build: no\n  -> try", ["the header x.h is missing"])},
            native={
                "ok": True,
                "reason": "Traceback\nImportError: undefined symbol: x",
                "elf": {},
                "called": False,
            },
        ),
    }
    packages = tuple(Package(name, "", needs=("stopped",) if name == "untried" else ()) for name in rows)
    locked = {name: Distribution(name, "1", f"{name}-1.tar.gz", "") for name in rows}
    facts = {"date": "2026-01-01", "machine": "one"}
    results = Results(Path(), Path("/nowhere"), Listing(base, packages), locked, facts)
    results.rows = {f"{name}==1": row for name, row in rows.items()}
    page = results.markdown()
    assert (
        "5 of 6 rows tried on some platform; 5 tried natively, of which 4 built; 1 of these fail when they are "
        "called."
    ) in page
    assert (
        "linux/arm/v7: of the 3 that build natively, 1 are built and called (33 %, 50 % of those tried), "
        "1 are not, and 1 were not tried. Of all rows: 3 of 5 tried."
    ) in page
    assert "* stopped==1, linux/arm/v7: built, but does not run: ImportError: x\n" in page
    assert "* broken==1, linux/arm/v7: build: no: the header x.h is missing -> try\n" in page
    assert "* broken==1: built, but does not run: ImportError: undefined symbol: x\n" in page
    assert "* linux/arm/v7: untried==1 (needs stopped, not built there)\n* natively: unknown==1\n" in page
