"""The backend beside each version of Pants that is recorded: an edit that breaks one of them fails here.

A record holds what that version has of the names that we use. A name that no record knows is added by
`build-support/pants_api.py CHECKOUT --record tests/pants_api/2.33.json`, once for each version.
"""

from __future__ import annotations

import ast
import functools
import itertools
from dataclasses import dataclass
from pathlib import Path

import pytest
from api_check import compare, facts, options, sources, uses
from api_check.facts import Facts
from api_check.model import Fact, Use
from api_check.sources import Sources

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "slim_python_image"
PLANTED = f"{PACKAGE}.planted"
RECORDS = {path.stem: path for path in sorted(Path(__file__).parent.glob("*.json"))}


@dataclass(frozen=True)
class Comparison:
    """One side of a comparison: what is used, and what we have ourselves."""

    uses: list[Use]
    own: dict[str, Fact]

    def faults(self, found: Facts) -> list[str]:
        """Return what does not fit a version of Pants."""
        minor = "{}.{}".format(*found.minor)
        command = f"build-support/pants_api.py CHECKOUT --record tests/pants_api/{minor}.json"
        unrecorded = f"no record of Pants {minor} -> {command}"
        return compare.breaks(compare.compare(self.uses, self.own, found, unrecorded))


def own_facts(ours: Sources) -> dict[str, Fact]:
    """Return what the backend has itself."""
    return {**uses.own_facts(ours), **options.own_facts(ours)}


@functools.cache
def backend() -> Comparison:
    """Return all that the backend and the documents use."""
    ours = sources.read_sources(ROOT / "pants-plugins", PACKAGE)
    used = [*uses.of_sources(ours), *options.of_messages(ours), *options.of_repository(ROOT)]
    return Comparison(used, own_facts(ours))


@functools.cache
def planted(text: str) -> Comparison:
    """Return what one more module of the backend uses."""
    trees = sources.read_trees(ROOT / "pants-plugins", PACKAGE)
    ours = sources.of_trees({**trees, PLANTED: (f"{PACKAGE}/planted.py", ast.parse(text))})
    module = ours.modules[PLANTED]
    used = [*uses.of_module(ours, module), *options.of_messages(Sources({PLANTED: module}))]
    return Comparison(used, own_facts(ours))


def test_every_supported_version_is_recorded() -> None:
    assert {facts.read(path).minor for path in RECORDS.values()} == {(2, minor) for minor in range(30, 35)}
    assert ["{}.{}".format(*facts.read(path).minor) for path in RECORDS.values()] == list(RECORDS)


@pytest.mark.parametrize("version", RECORDS)
def test_the_backend_fits(version: str) -> None:
    assert backend().faults(facts.read(RECORDS[version])) == []


def vanished(records: list[Facts]) -> list[str]:
    """Return what our classes define for Pants, and a later version no longer looks for."""
    ours = sources.read_sources(ROOT / "pants-plugins", PACKAGE)
    return [
        f"{name}: Pants {older.version} has it, {newer.version} has not"
        for name in sorted({use.name for use in uses.overrides(ours)})
        for older, newer in itertools.pairwise(records)
        if older.names.get(name) is not None and newer.names.get(name) is None
    ]


def test_what_pants_looks_for_in_our_classes_stays() -> None:
    records = [facts.read(path) for path in RECORDS.values()]
    assert vanished(records) == []
    name = "pants.core.goals.publish.PublishFieldSet.get_output_data"
    oldest, *between, newest = records
    without = Facts(newest.version, {**newest.names, name: None})
    assert vanished([oldest, *between, without]) == [
        f"{name}: Pants {between[-1].version} has it, {newest.version} has not"
    ]


@pytest.mark.parametrize("version", RECORDS)
def test_the_record_is_written_as_it_stands(version: str) -> None:
    assert facts.written(facts.read(RECORDS[version])) == RECORDS[version].read_text()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            "from pants.engine.process import Process\nProcess(argv=(), description='', colour='red')\n",
            "pants.engine.process.Process: slim_python_image/planted.py:2: has no parameter `colour`",
            id="a field that is unknown",
        ),
        pytest.param(
            "from pants.engine.process import Process\nProcess(argv=())\n",
            "pants.engine.process.Process: slim_python_image/planted.py:2: requires `description`",
            id="a field that is missing",
        ),
        pytest.param(
            "from pants.engine import intrinsics\n"
            "from pants.engine.intrinsics import merge_digests\n"
            "async def merge(one): return await merge_digests(one, one)\n",
            "pants.engine.intrinsics.merge_digests: slim_python_image/planted.py:3: "
            "2 positional arguments, and it takes 1",
            id="an argument too many",
        ),
        pytest.param(
            "from pants.engine.fs import MergeDigests\n"
            "from pants.engine.intrinsics import create_digest\n"
            "async def create(): return await create_digest(MergeDigests([]))\n",
            "pants.engine.intrinsics.create_digest: slim_python_image/planted.py:3: argument 1 is "
            "pants.engine.fs.MergeDigests, and `create_digest` is pants.engine.fs.CreateDigest",
            id="an argument of another type",
        ),
        pytest.param(
            "from pants.engine.intrinsics import execute_process\n"
            "from pants.engine.process import Process\n"
            "async def execute(process: Process): return await execute_process(process)\n",
            "pants.engine.intrinsics.execute_process: slim_python_image/planted.py:3: "
            "`process_execution_environment` not given, and no `**implicitly()`",
            id="an argument that is neither given nor implicit",
        ),
        pytest.param(
            "@rule\nasync def own(number: int) -> int: ...\nasync def run(): return await own(1, 2)\n",
            "slim_python_image.planted.own: slim_python_image/planted.py:3: "
            "2 positional arguments, and it takes 1",
            id="an argument too many for a rule of ours",
        ),
    ],
)
@pytest.mark.parametrize("version", RECORDS)
def test_a_call_that_breaks(version: str, text: str, expected: str) -> None:
    assert planted(text).faults(facts.read(RECORDS[version])) == [expected]


@pytest.mark.parametrize("version", RECORDS)
def test_a_name_that_a_version_lacks(version: str) -> None:
    found = facts.read(RECORDS[version])
    lacking = Facts(found.version, {**found.names, "pants.engine.process.Process": None})
    assert any(
        fault.startswith("pants.engine.process.Process: slim_python_image/")
        and fault.endswith(f" is not in Pants {found.version}")
        for fault in backend().faults(lacking)
    )


@pytest.mark.parametrize("version", RECORDS)
def test_a_name_that_no_record_has_fails_with_the_command_that_records_it(version: str) -> None:
    text = "from pants.engine.process import Procces\nmessage = 'see [GLOBAL].colour'\n"
    command = f"build-support/pants_api.py CHECKOUT --record tests/pants_api/{version}.json"
    found = planted(text).faults(facts.read(RECORDS[version]))
    for name, line in (("pants.engine.process.Procces", 1), ("[GLOBAL].colour", 2)):
        place = f"slim_python_image/planted.py:{line}"
        assert f"{name}: {place}: no record of Pants {version} -> {command}" in found


def test_a_call_of_what_was_only_imported_when_it_was_recorded() -> None:
    found = facts.read(RECORDS["2.33"])
    name = "pants.engine.fs.Digest"
    fact = found.names[name]
    assert fact is not None
    assert fact.parameters is None
    text = "from pants.engine.fs import Digest\nDigest('', 0)\n"
    [fault] = planted(text).faults(found)
    assert fault.startswith(
        f"{name}: slim_python_image/planted.py:2: no record of Pants 2.33 -> build-support/"
    )


@pytest.mark.parametrize("version", RECORDS)
def test_what_only_some_versions_reach(version: str) -> None:
    text = (
        "OLD = minor_version(VERSION) == (2, 17)\n"
        "LATER = minor_version(VERSION) >= (2, 32)\n"
        "if OLD:\n"
        "    from pants.engine.rules import Get\n"
        "elif LATER:\n"
        "    from pants.engine.rules import Later\n"
        "else:\n"
        "    from pants.engine.rules import Between\n"
    )
    expected = "Later" if facts.read(RECORDS[version]).minor >= (2, 32) else "Between"
    found = planted(text).faults(facts.read(RECORDS[version]))
    assert [one.partition(":")[0] for one in found] == [f"pants.engine.rules.{expected}"]
