from __future__ import annotations

import json
from dataclasses import replace

import pytest

from slim_python_image.goals.coverage_report import Fault, Row, Table, bytes_text, json_report, text_report
from slim_python_image.products import Artifact, TargetEnvironment

ARM = TargetEnvironment("linux/arm/v7", "3.11.2", "glibc", "2.36")


def artifact(name: str, version: str, kind: str) -> Artifact:
    suffix = "-py3-none-any.whl" if kind == "wheel" else ".tar.gz"
    return Artifact(name, version, kind, f"{name}-{version}{suffix}", "a" * 64)


TARGETS = ("src/a:image", "src/b:image")
WHEEL = Row(artifact("anyio", "4.16.0", "wheel"), 2048, TARGETS)
CHOSEN = Row(artifact("ciso8601", "2.4.1", "sdist"), 28100, TARGETS, native=True, reason="no_binary")
MISSING = Row(
    artifact("ujson", "6.1.0", "sdist"),
    7 * 2**20,
    TARGETS,
    native=True,
    reason="no_wheel",
    newest_wheel="5.9.0",
    searched=True,
)
PURE = replace(MISSING, artifact=artifact("aiozeroconf", "0.1.8", "sdist"), native=False, newest_wheel=None)
TABLE = Table("linux/arm/v7", ARM, "x.lock", TARGETS, (PURE, WHEEL, CHOSEN, MISSING))


def test_a_table_and_its_summary() -> None:
    assert text_report([TABLE]) == (
        "linux/arm/v7, Python 3.11.2, glibc 2.36, x.lock\n"
        "needed by src/a:image, src/b:image\n"
        "  distribution  version  artifact           size\n"
        "  aiozeroconf   0.1.8    sdist, pure     7.0 MiB  "
        "no wheel fits; no version that the lock allows has one\n"
        "  anyio         4.16.0   wheel           2.0 KiB\n"
        "  ciso8601      2.4.1    sdist, native  27.4 KiB  no_binary\n"
        "  ujson         6.1.0    sdist, native   7.0 MiB  no wheel fits; newest version with one: 5.9.0\n"
        "\n"
        "linux/arm/v7: 2 of 4 are compiled: ciso8601, ujson; built from pure sdists: aiozeroconf; "
        "14.0 MiB to fetch\n"
    )


def test_tables_with_errors_and_without_a_plan() -> None:
    fault = Fault(TARGETS, "x 1 has no file\n  -> lock again")
    failed = Table("linux/riscv64", None, "x.lock", TARGETS, faults=(fault,))
    partly = replace(TABLE, rows=(replace(WHEEL, size=None),), faults=(fault,))
    assert text_report([partly, failed]) == (
        "linux/arm/v7, Python 3.11.2, glibc 2.36, x.lock\n"
        "needed by src/a:image, src/b:image\n"
        "  distribution  version  artifact     size\n"
        "  anyio         4.16.0   wheel     unknown\n"
        "  error, for src/a:image, src/b:image:\n"
        "    x 1 has no file\n"
        "      -> lock again\n"
        "\n"
        "linux/riscv64, x.lock\n"
        "needed by src/a:image, src/b:image\n"
        "  error, for src/a:image, src/b:image:\n"
        "    x 1 has no file\n"
        "      -> lock again\n"
        "\n"
        "linux/arm/v7: none of 1 is compiled; 0.0 KiB and 1 of unknown size to fetch; incomplete, see the "
        "errors above\n"
        "linux/riscv64: no plan\n"
    )


def test_two_tables_of_a_platform_are_told_apart() -> None:
    other = replace(TABLE, target=replace(ARM, python="3.13.5"))
    last = text_report([TABLE, other]).splitlines()[-2:]
    assert last[0].startswith("linux/arm/v7, Python 3.11.2, glibc 2.36, x.lock: 2 of 4")
    assert last[1].startswith("linux/arm/v7, Python 3.13.5, glibc 2.36, x.lock: 2 of 4")


@pytest.mark.parametrize(
    ("row", "kind", "note"),
    [
        (replace(MISSING, rust=True), "sdist, native (Rust)", MISSING.note),
        (replace(MISSING, native=None, searched=False), "sdist, unknown", "no wheel fits"),
        (
            replace(MISSING, newest_wheel="6.1.0"),
            "sdist, native",
            "a wheel fits, but is not in the lock: lock again",
        ),
    ],
)
def test_kinds_and_notes(row: Row, kind: str, note: str) -> None:
    assert (row.kind, row.note) == (kind, note)


def test_json() -> None:
    document = json.loads(json_report([TABLE]))
    assert document["schema"] == "slim-python-image.coverage/1"
    (platform,) = document["platforms"]
    assert platform["platform"] == "linux/arm/v7"
    assert platform["libc_version"] == "2.36"
    assert platform["summary"] == {
        "distributions": 4,
        "compiled": 2,
        "pure_sdists": 1,
        "size": 2 * 7 * 2**20 + 2048 + 28100,
        "unknown_sizes": 0,
        "text": text_report([TABLE]).splitlines()[-1],
    }
    assert platform["distributions"][1] == {
        "name": "anyio",
        "version": "4.16.0",
        "kind": "wheel",
        "filename": "anyio-4.16.0-py3-none-any.whl",
        "sha256": "a" * 64,
        "size": 2048,
        "targets": list(TARGETS),
    }
    assert platform["distributions"][3]["newest_wheel"] == "5.9.0"
    assert platform["distributions"][0]["newest_wheel"] is None
    assert "newest_wheel" not in platform["distributions"][2]
    failed = Table("linux/riscv64", None, "x.lock", TARGETS, faults=(Fault(TARGETS, "no"),))
    (platform,) = json.loads(json_report([failed]))["platforms"]
    assert platform["errors"] == [{"targets": list(TARGETS), "error": "no"}]
    assert platform["python"] is None


def test_sizes() -> None:
    assert [bytes_text(size) for size in (None, 0, 1536, 3 * 2**20)] == [
        "unknown",
        "0.0 KiB",
        "1.5 KiB",
        "3.0 MiB",
    ]
