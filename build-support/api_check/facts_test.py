from __future__ import annotations

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_check import facts
from api_check.facts import Facts
from api_check.model import Condition, Fact, Parameter, minor_version

_KINDS = ["positional", "both", "*", "keyword", "**"]


@st.composite
def signatures(draw: st.DrawFn) -> tuple[Parameter, ...]:
    """Return parameters in an order that Python allows."""
    kinds = sorted(
        draw(st.lists(st.sampled_from(["positional", "both", "keyword"]), max_size=6)), key=_KINDS.index
    )
    for stars in draw(st.sets(st.sampled_from(["*", "**"]))):
        kinds = sorted([*kinds, stars], key=_KINDS.index)
    required = draw(st.integers(0, len(kinds)))
    return tuple(
        Parameter(
            f"p{number}",
            kind,
            required=kind[0] != "*" and (number < required or (kind == "keyword" and draw(st.booleans()))),
            type=draw(st.sampled_from([None, "pants.engine.fs.Digest"])) if kind == "both" else None,
        )
        for number, kind in enumerate(kinds)
    )


@given(signatures())
def test_a_signature_is_read_as_it_was_written(parameters: tuple[Parameter, ...]) -> None:
    assert facts.parsed_signature(facts.signature_text(parameters)) == parameters


@given(signatures())
def test_a_signature_is_pythons(parameters: tuple[Parameter, ...]) -> None:
    texts = [one.partition(":")[0].removesuffix("=") for one in facts.signature_text(parameters)]
    arguments = ast.parse(f"def function({', '.join(texts)}): ...").body[0].args  # type: ignore[attr-defined]
    names = {
        "positional": arguments.posonlyargs,
        "both": arguments.args,
        "*": [arguments.vararg] if arguments.vararg else [],
        "keyword": arguments.kwonlyargs,
        "**": [arguments.kwarg] if arguments.kwarg else [],
    }
    found = [(one.arg, kind) for kind, group in names.items() for one in group]
    assert found == [(one.name, one.kind) for one in parameters]


def test_a_document(tmp_path: Path) -> None:
    found = Facts(
        "2.33.0",
        {
            "pants.b": None,
            "pants.a": Fact(
                "class",
                "pants.c",
                (Parameter("x", type="pants.d"), Parameter("y", required=False)),
                ("pants.e",),
            ),
        },
    )
    text = facts.written(found)
    assert text == (
        '{\n "schema": "slim-python-image.pants-api/1",\n "version": "2.33.0",\n "names": {\n'
        '  "pants.a": {"bases": ["pants.e"], "home": "pants.c", "kind": "class", "parameters": ["x: pants.d", "y="]},\n'
        '  "pants.b": null\n }\n}\n'
    )
    (tmp_path / "record.json").write_text(text)
    assert facts.read(tmp_path / "record.json") == found
    (tmp_path / "other.json").write_text('{"schema": "slim-python-image.report/2"}')
    with pytest.raises(ValueError, match=r"is no record of slim-python-image\.pants-api/1"):
        facts.read(tmp_path / "other.json")


def test_versions() -> None:
    assert minor_version("2.30.3rc0") == (2, 30)
    with pytest.raises(ValueError, match="'main' is no version of Pants"):
        minor_version("main")


@pytest.mark.parametrize("comparison", ["<", "<=", "==", "!=", ">", ">="])
@pytest.mark.parametrize("version", [(2, 17), (2, 30), (2, 31), (3, 0)])
def test_a_branch_and_the_other_one_share_no_version(comparison: str, version: tuple[int, int]) -> None:
    condition = Condition(comparison, (2, 30))
    assert condition.holds(version) != condition.opposite().holds(version)
