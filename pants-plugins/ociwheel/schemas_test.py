"""Schemas are schemas, there is one for each kind, and the reader says what the library says."""

from __future__ import annotations

import json

import jsonschema
import pytest

from ociwheel import schemas
from ociwheel.cli.main import STEPS
from ociwheel.documents import SCHEMA_VERSIONS, document, schema
from ociwheel.errors import UsageError
from tests.support.schema_examples import examples
from tests.support.schemas import faults, spoilt
from tests.support.values import value_of

KINDS = sorted(path.stem for path in schemas.FOLDER.glob("*.json") if path.stem not in {"common", "error"})


def test_every_kind_has_a_schema() -> None:
    assert {*KINDS, "error"} == set(SCHEMA_VERSIONS)
    for kind in KINDS:
        assert all(one["schema"] == schema(kind) for one in examples(kind))


def test_every_step_has_its_answer_in_the_table() -> None:
    assert set(schemas.ANSWERS) == set(STEPS)
    assert set(schemas.ANSWERS.values()) <= set(KINDS)


@pytest.mark.parametrize("kind", [*KINDS, "common", "error"])
def test_a_schema_is_a_schema(kind: str) -> None:
    value = json.loads((schemas.FOLDER / f"{kind}.json").read_bytes())
    jsonschema.Draft202012Validator.check_schema(value)
    assert value["title"]


def refusal(value: object, kind: str) -> str:
    try:
        schemas.check(value_of(value), kind)
    except UsageError as e:
        return str(e)
    return ""


@pytest.mark.parametrize("kind", KINDS)
def test_the_reader_takes_what_the_library_takes(kind: str) -> None:
    refused = 0
    for example in examples(kind):
        assert faults(example, kind) == []
        assert schemas.check(value_of(example), kind).raw == example
        for other in spoilt(example):
            wrong = faults(other, kind)
            said = refusal(other, kind)
            assert bool(said) == bool(wrong), (other, said, wrong)
            assert "\n" not in said
            refused += bool(said)
    assert refused > 3


def test_what_is_wrong_is_told_with_its_place() -> None:
    (plan,) = examples("plan")
    artifact = plan["artifacts"][0]
    for changed, message in (
        ({k: v for k, v in artifact.items() if k != "sha256"}, "artifacts[0].sha256: is missing"),
        ({**artifact, "more": 1}, "artifacts[0]: unknown keys: more"),
        ({**artifact, "size": "7"}, "artifacts[0].size: expected a whole number from 0 on, found '7'"),
        ({**artifact, "kind": "egg"}, "artifacts[0].kind: expected wheel or sdist, found 'egg'"),
    ):
        with pytest.raises(Exception, match=r"^request\.json: ") as e:
            schemas.check(value_of({**plan, "artifacts": [changed]}), "plan")
        assert str(e.value) == f"request.json: {message}"


def test_a_document_that_tests_make_and_no_schema_knows_fails_the_test() -> None:
    assert (
        document("index", {"descriptor": examples("index")[0]["descriptor"]})["schema"] == "ociwheel.index/1"
    )
    with pytest.raises(AssertionError, match=r"^ociwheel\.index: .*'descriptor' is a required property"):
        document("index", {})


def test_an_sdist_that_needed_no_hook_says_nothing_of_isolation() -> None:
    answer: dict[str, object] = {
        "schema": "ociwheel.build-requires/1",
        "missing": [],
        "failed": None,
        "tail": [],
        "isolation": None,
        "crates": [],
    }
    assert schemas.check(value_of(answer), "build-requires").raw == answer
