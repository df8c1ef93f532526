"""Expectations of an image, looked up in the lists of its layers."""

from __future__ import annotations

from typing import Any

import pytest

from ociwheel.documents import schema
from ociwheel.elf.tree import ImageTree
from ociwheel.errors import ImageError
from ociwheel.testing.structure import Expected, Said, check_structure

SAID = Said({"PATH": "/app/bin:/usr/bin", "LANG": "C.UTF-8"}, "65532:65532")


def layer(*rows: tuple[str, str, int, str]) -> dict[str, Any]:
    """Return the list of a layer: path, kind, mode, target."""
    files = [[path, kind, mode, 0, 0, 0, target] for path, kind, mode, target in rows]
    return {"schema": schema("layer-facts"), "files": files, "elf": []}


TREE = ImageTree(
    [
        layer(
            ("bin", "l", 0o777, "usr/bin"),
            ("usr/bin/python3.11", "f", 0o755, ""),
            ("usr/bin/notes", "f", 0o644, ""),
            ("usr/share/old", "f", 0o644, ""),
        ),
        layer(
            ("app/bin/python", "l", 0o777, "/usr/bin/python3.11"),
            ("app/bin/gone", "l", 0o777, "/usr/bin/gone"),
            ("app/lib/site/tests", "d", 0o755, ""),
            ("app/lib/site/tests/a.c", "f", 0o644, ""),
            ("app/lib/site/tests/b.c", "f", 0o644, ""),
            ("usr/share/.wh.old", "f", 0o644, ""),
        ),
    ]
)


def faults(expected: Expected, said: Said = SAID) -> tuple[str, ...]:
    with pytest.raises(ImageError) as caught:
        check_structure(expected, TREE, said)
    assert caught.value.what == f"{len(caught.value.details)} of {expected.number} expectations do not hold"
    return caught.value.details


def test_what_holds() -> None:
    expected = Expected(
        files_present=("/bin/python3.11", "/app/lib/*/tests", "/app/*.c"),
        files_absent=("/bin/sh", "/usr/share/old", "/*.h", "/app/bin/gone"),
        commands=("python", "python3.11", "/bin/python3.11"),
        env={"LANG": "C.UTF-8"},
        user="nonroot",
    )
    assert check_structure(expected, TREE, SAID) == expected.number == 12


def test_files_that_are_not_there() -> None:
    assert faults(Expected(files_present=("/usr/share/old", "/app/*.h", "/app/bin/gone"))) == (
        "files_present: there is no /usr/share/old",
        "files_present: there is no /app/*.h",
        "files_present: there is no /app/bin/gone",
    )


def test_files_that_are_there() -> None:
    assert faults(Expected(files_absent=("/bin/python3.11", "/app/*.c"))) == (
        "files_absent: there is /bin/python3.11",
        "files_absent: there is /app/lib/site/tests/a.c and 1 more, which /app/*.c matches",
    )


def test_commands_that_are_none() -> None:
    assert faults(Expected(commands=("notes", "gone", "/usr/bin/notes"))) == (
        "commands: no folder of PATH has notes: /app/bin:/usr/bin",
        "commands: no folder of PATH has gone: /app/bin:/usr/bin",
        "commands: /usr/bin/notes is no file that can be executed",
    )
    (only,) = faults(Expected(commands=("python",)), Said({}, "0"))
    assert only == "commands: no folder of PATH has python: it is empty"


def test_what_the_configuration_says() -> None:
    assert faults(Expected(env={"LANG": "C", "MODE": ""}, user="root")) == (
        "env: LANG is 'C.UTF-8', not 'C'",
        "env: MODE is not set",
        "user: it is 65532:65532, not root",
    )


@pytest.mark.parametrize(
    ("expected", "said"),
    [("0:0", ""), ("root", "0"), ("1000", "1000:1000"), ("app", "app"), ("app:7", "app:7")],
)
def test_users_by_name_and_number(expected: str, said: str) -> None:
    user = said or "root"
    assert check_structure(Expected(user=expected), TREE, Said({}, user)) == 1
