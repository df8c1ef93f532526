from __future__ import annotations

import json
from dataclasses import replace

import pytest

from slim_python_image.goals.updates_report import (
    FailOn,
    Report,
    exit_code,
    json_report,
    text_report,
    without_security,
)

PACKAGE = {
    "name": "libssl3",
    "version": "3.0.9",
    "available": "3.0.12",
    "suite": "bookworm-security",
    "security": True,
    "in_image": True,
    "architectures": ["amd64", "arm64"],
}
PLAIN = {**PACKAGE, "name": "tzdata", "suite": "bookworm", "security": False}
OLD = {**PLAIN, "name": "gone", "available": None, "suite": None, "in_image": False}
TAG = {
    "field": "image",
    "name": "python:3.11-slim",
    "locked": "sha256:" + "a" * 64,
    "current": "sha256:" + "b" * 64,
}
YANKED = {
    "name": "idna",
    "version": "3.9",
    "status": "yanked",
    "files": ["idna-3.9-py3-none-any.whl"],
    "reason": "broken",
    "targets": ["src/a:image"],
}
GONE = {**YANKED, "name": "click", "status": "gone", "reason": None, "targets": []}
BASE = Report("packages", "//3rdparty:base", (PACKAGE, PLAIN, OLD), 90, "lock it again: pants x", ("a note",))
IMAGES = Report("images", "//3rdparty:slim", (TAG,), 2, "lock it again: pants y")
LOCK = Report("distributions", "default.lock", (YANKED, GONE), 30, "ask for other versions")
NOTHING = replace(LOCK, rows=())


def test_text() -> None:
    assert text_report([BASE, IMAGES, LOCK, NOTHING]) == (
        "//3rdparty:base: 3 of 90 packages have newer versions\n"
        "  security: libssl3 3.0.9 -> 3.0.12 (bookworm-security; in images; amd64, arm64)\n"
        "  tzdata 3.0.9 -> 3.0.12 (bookworm; in images; amd64, arm64)\n"
        "  gone 3.0.9: no suite has it any more (only for building; amd64, arm64)\n"
        "  note: a note\n"
        "  -> lock it again: pants x\n"
        "//3rdparty:slim: 1 of 2 image is another now\n"
        "  image python:3.11-slim: sha256:aaaaaaaaaaaa -> sha256:bbbbbbbbbbbb\n"
        "  -> lock it again: pants y\n"
        "default.lock: 2 of 30 versions were taken back\n"
        "  idna 3.9 is yanked: broken (needed by src/a:image)\n"
        "  click 3.9 is on no index any more (needed by none of these targets)\n"
        "  -> ask for other versions\n"
        "default.lock: none of 30 versions were taken back\n"
    )


def test_what_could_not_be_asked_is_told_beside_the_rest() -> None:
    failed = replace(NOTHING, error="no index answers\n  -> look")
    assert text_report([failed]) == (
        "default.lock: could not be looked up\n  no index answers\n    -> look\n"
    )
    assert exit_code([failed, BASE], FailOn.NOTHING) == 2


@pytest.mark.parametrize(
    ("report", "codes"),
    [
        (NOTHING, (0, 0, 0)),
        (BASE, (1, 1, 0)),
        (replace(BASE, rows=(PLAIN, OLD)), (1, 0, 0)),
        (IMAGES, (1, 0, 0)),
        (LOCK, (1, 1, 0)),
    ],
)
def test_exit_codes(report: Report, codes: tuple[int, int, int]) -> None:
    found = tuple(exit_code([NOTHING, report], one) for one in (FailOn.ANY, FailOn.SECURITY, FailOn.NOTHING))
    assert found == codes


def test_json() -> None:
    document = json.loads(json_report([BASE, IMAGES, LOCK]))
    assert document["schema"] == "slim-python-image.updates/1"
    (packages,) = document["packages"]
    assert (packages["base"], packages["asked"], packages["notes"]) == ("//3rdparty:base", 90, ["a note"])
    assert packages["updates"][0] == PACKAGE
    assert document["images"][0]["updates"] == [TAG]
    assert [row["status"] for row in document["distributions"][0]["updates"]] == ["yanked", "gone"]


def test_a_base_without_security_updates_is_told() -> None:
    assert without_security(["bookworm", "bookworm-security"]) == ()
    assert without_security([]) == ()
    (note,) = without_security(["bookworm", "bookworm-updates"])
    assert note.endswith('add "bookworm-security" to its `suites`')
