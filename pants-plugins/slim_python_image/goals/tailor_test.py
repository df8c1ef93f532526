from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pants.backend.python.subsystems.setup import PythonSetup
from pants.backend.python.target_types import PexBinary
from pants.engine.addresses import Address
from pants.engine.target import AllTargets, Target
from pants.testutil.option_util import create_subsystem

from slim_python_image.base_target import DebianPythonBaseTarget
from slim_python_image.goals.tailor import (
    PutativeImagesRequest,
    binaries,
    proposals,
    propose_images,
    proposed_base,
    started,
)
from slim_python_image.subsystems.options import SlimImageOptions
from slim_python_image.target_types import SlimPythonImageTarget
from tests.support.rules import function_of

BASE = DebianPythonBaseTarget({"suites": ["bookworm"]}, Address("3rdparty/debian", target_name="bookworm"))


def pex(path: str, name: str, **fields: Any) -> Target:
    return PexBinary(fields, Address(path, target_name=name))


def image(path: str, name: str, **fields: Any) -> Target:
    return SlimPythonImageTarget({"base": ":b", **fields}, Address(path, target_name=name))


def stanzas(*targets: Target, folders: tuple[str, ...] = ("src/a", "src/b")) -> list[str]:
    found = proposals(targets, folders, ("CPython==3.11.*",))
    return [f"{one.path}: {one.generate_build_file_stanza('    ')}" for one in found]


@pytest.mark.parametrize(
    ("entry_point", "expected"),
    [
        ("app.py", ("app", "")),
        ("app.py:main", ("app", "main")),
        ("pkg.app:main", ("app", "main")),
        ("app", ("app", "")),
        ("sub/app.py", ("app", "")),
    ],
)
def test_what_an_entry_point_starts(entry_point: str, expected: tuple[str, str]) -> None:
    assert started(entry_point) == expected


def test_an_image_for_a_binary() -> None:
    [found] = stanzas(BASE, pex("src/a", "bin", entry_point="app.py:main"))
    assert found == (
        'src/a: slim_python_image(\n    name="image",\n    entry_point="app.py:main",\n'
        '    base="//3rdparty/debian:bookworm",\n)\n'
    )


def test_dependencies_and_resolve_come_along() -> None:
    [found] = stanzas(BASE, pex("src/a", "bin", entry_point="app", dependencies=[":x"], resolve="other"))
    assert '    dependencies=[\n        ":bin",\n    ],\n    resolve="other",\n' in found


def test_a_base_where_there_is_none() -> None:
    base, own = stanzas(pex("src/a", "bin", entry_point="app.py"))
    assert base == (
        '3rdparty/debian: debian_python_base(\n    name="bookworm-py311",\n'
        '    suites=[\n        "bookworm",\n    ],\n    python="3.11",\n)\n'
    )
    assert 'base="//3rdparty/debian:bookworm-py311"' in own


def test_none_where_there_is_one_already() -> None:
    one = pex("src/a", "bin", entry_point="app.py:main")
    assert stanzas(BASE, one, image("src/a", "x", entry_point="pkg.app:main")) == []
    assert len(stanzas(BASE, one, image("src/b", "x", entry_point="app.py:main"))) == 1
    assert len(stanzas(BASE, one, image("src/a", "x", entry_point="app.py:other"))) == 1


def test_none_for_other_folders_and_for_binaries_without_an_entry_point() -> None:
    assert stanzas(BASE, pex("src/c", "bin", entry_point="app.py")) == []
    assert stanzas(pex("src/a", "bin", script="tool"), pex("src/a", "repl")) == []
    generated = PexBinary({"entry_point": "a.py"}, Address("src/a", target_name="all", generated_name="a.py"))
    assert binaries([generated]) == []


def test_names_of_several_images() -> None:
    two = (pex("src/a", "web", entry_point="web.py"), pex("src/a", "job", entry_point="job.py"))
    found = stanzas(BASE, *two)
    assert ['name="job-image"' in found[0], 'name="web-image"' in found[1]] == [True, True]
    taken = image("src/a", "image", entry_point="other.py")
    [only] = stanzas(BASE, two[0], taken)
    assert 'name="web-image"' in only


@pytest.mark.parametrize(
    ("constraints", "name"),
    [
        ((), "bookworm-py311"),
        (("CPython>=3.9,<3.14",), "bookworm-py311"),
        (("CPython==3.13.*",), "trixie-py313"),
        (("CPython==3.9.*",), "bookworm-py311"),
    ],
)
def test_the_base_follows_the_constraints(constraints: tuple[str, ...], name: str) -> None:
    assert proposed_base(constraints)[0] == name


@pytest.mark.parametrize("wanted", [True, False])
def test_who_wants_no_proposals_has_none(wanted: bool) -> None:
    options = create_subsystem(SlimImageOptions, tailor_image_targets=wanted)
    setup = create_subsystem(PythonSetup, interpreter_constraints=["CPython==3.11.*"])
    request = PutativeImagesRequest(("src/a",))
    targets = AllTargets([BASE, pex("src/a", "bin", entry_point="app.py")])
    found = asyncio.run(function_of(propose_images)(request, targets, options, setup))
    assert len(found) == int(wanted)
