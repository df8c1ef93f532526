from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ociwheel.debian.relations import Relation, parse_relations, parse_version
from ociwheel.errors import BaseError

_NAMES = st.from_regex(r"[a-z0-9][a-z0-9+.-]{1,12}", fullmatch=True)
_VERSIONS = st.from_regex(r"(?:[0-9]:)?[0-9][0-9a-z.+~]{0,8}(?:-[0-9a-z.+~]{1,5})?", fullmatch=True)
_RELATIONS = st.builds(
    Relation, _NAMES, st.sampled_from(["<<", "<=", "=", ">=", ">>"]), _VERSIONS, st.sampled_from(["", "any"])
)


@pytest.mark.parametrize(
    ("version", "relation", "expected"),
    [
        ("2.36-9", ">= 2.36", True),
        ("2.36~rc1", ">= 2.36", False),
        ("1:1.0", ">> 9.0", True),
        ("1.0-1+b1", "= 1.0-1", False),
        ("1.0-0", "= 1.0", True),
        ("1.0-1", "<< 1.0-1", False),
        ("1.0-1", "< 1.0-1", True),
        ("1.0-1", "> 1.0-1", True),
        ("1.0-1", "<= 0.9", False),
    ],
)
def test_versions_compare_as_policy_says(version: str, relation: str, expected: bool) -> None:
    ((parsed,),) = parse_relations(f"libx ({relation})", "test")
    assert parsed.accepts(version) is expected


def test_a_field_has_groups_of_alternatives() -> None:
    field = "libc6 (>=2.35) , python3:any, awk | mawk [amd64 arm64] <!nocheck>,"
    assert parse_relations(field, "test") == (
        (Relation("libc6", ">=", "2.35"),),
        (Relation("python3", qualifier="any"),),
        (Relation("awk"), Relation("mawk", architectures=("amd64", "arm64"))),
    )


@pytest.mark.parametrize(
    ("architectures", "expected"),
    [("amd64", True), ("arm64", False), ("!amd64", False), ("!arm64 !i386", True), ("linux-any", True)],
)
def test_a_relation_may_hold_on_some_architectures_only(architectures: str, expected: bool) -> None:
    ((relation,),) = parse_relations(f"libx [{architectures}]", "test")
    assert relation.holds_on("amd64") is expected


def test_what_is_no_relation_is_named_with_its_place() -> None:
    with pytest.raises(BaseError) as e:
        parse_relations("libc6, lib c (= 1)", "package foo, Depends")
    assert str(e.value) == "package foo, Depends: 'lib c (= 1)' is no package relation"


@given(st.lists(st.lists(_RELATIONS, min_size=1, max_size=3), max_size=4))
def test_a_field_that_is_written_reads_back(groups: list[list[Relation]]) -> None:
    text = ", ".join(" | ".join(str(relation) for relation in group) for group in groups)
    assert parse_relations(text, "test") == tuple(tuple(group) for group in groups)


@given(st.text(alphabet=st.sampled_from("abz09+.-~: ()<>=|,[]!\n\0é"), max_size=40))
def test_any_text_parses_or_is_a_base_error(text: str) -> None:
    try:
        shown = [str(relation) for group in parse_relations(text, "test") for relation in group]
    except BaseError as e:
        shown = [e.what]
    assert all(shown)


@given(st.text(max_size=20))
def test_any_version_compares_or_is_a_base_error(text: str) -> None:
    with contextlib.suppress(BaseError):
        version = parse_version(text)
        assert version == parse_version(text)
        assert not version < parse_version(text)


def test_what_is_no_version_is_named() -> None:
    with pytest.raises(BaseError) as e:
        parse_version("1.0 beta")
    assert str(e.value) == "'1.0 beta' is no Debian version"
