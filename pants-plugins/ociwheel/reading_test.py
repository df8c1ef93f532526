from __future__ import annotations

import json
import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ociwheel.errors import LockError
from ociwheel.reading import DocumentLimits, Value, bytes_of, failing, fault_of, from_json, parse_json
from ociwheel.reading_toml import parse_toml

FAIL = failing(LockError, "a.lock", "lock again")


def reason(parse: Callable[[bytes], Any], data: bytes) -> str:
    try:
        parse(data)
    except ValueError as e:
        return str(e)
    return "it was read"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"[" * 500_000, "is nested too deeply"),
        (b'{"a":' * 300_000, "is nested too deeply"),
        (b"[NaN]", "has NaN, which is no number of JSON"),
        (b"[-Infinity]", "has -Infinity, which is no number of JSON"),
        (b"[1e999]", "has a number that is too large"),
        (b"[" + b"1" * 5000 + b"]", "has a number of 5000 digits; at most 60 make sense"),
        (b"[1." + b"1" * 5000 + b"]", "has a number of 5002 digits; at most 400 make sense"),
        (b'{"a":1,"a":2}', "has the key 'a' twice"),
        (b'["\\ud800"]', "has half of a character (a lone surrogate)"),
        (b'["\xff"]', "is not UTF-8 text: byte 2"),
        (b"[" + b"1," * 1_000_001 + b"1]", "has more than 1000000 values"),
        (b"", "is not JSON: Expecting value: line 1 column 1 (char 0)"),
    ],
)
def test_json_that_is_refused(data: bytes, expected: str) -> None:
    assert reason(parse_json, data) == expected


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"a." * 400_000 + b"b=1", "has a key of more than 32 parts in line 1"),
        (b"x=1\n[" + b"a . " * 40 + b"b]", "has a key of more than 32 parts in line 2"),
        (b"a=" + b"[" * 400_000, "is nested too deeply"),
        (b"a=" + b"{a=" * 200_000, "is nested too deeply"),
        (b"a=" + b"1" * 5000, "is not TOML: it has a number or a date that cannot be read"),
        (b"a=1\na=2", "is not TOML: Cannot overwrite a value (at end of document)"),
        (b"a='\xff'", "is not UTF-8 text: byte 3"),
        (b"a=[" + b"1," * 1_000_001 + b"]", "has more than 1000000 values"),
    ],
)
def test_toml_that_is_refused(data: bytes, expected: str) -> None:
    assert reason(parse_toml, data) == expected


def test_a_document_of_too_many_bytes() -> None:
    small = DocumentLimits(size=3)
    for parse in (parse_json, parse_toml):
        with pytest.raises(ValueError, match="has 4 bytes; at most 3 are read"):
            parse(b"    ", small)


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(10**40), 10**40)
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
        max_leaves=20,
    ),
    st.booleans(),
)
def test_json_is_read_as_the_standard_library_reads_it(value: Any, ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    assert parse_json(text.encode()) == json.loads(text) == parse_json(text)


_WORDS = st.sampled_from(
    ["a", "'b.c'", '"d"', ".", "=", " ", "1", "2.5", "[", "]", "{", "}", ",", "\n", "#", '"""']
)


@given(st.lists(_WORDS, max_size=40).map("".join))
def test_toml_is_read_as_the_standard_library_reads_it(text: str) -> None:
    try:
        expected = tomllib.loads(text)
    except ValueError:
        with pytest.raises(ValueError, match=r"is not TOML|is nested|has "):
            parse_toml(text)
    else:
        assert parse_toml(text) == expected


def message(read: Callable[[Value], Any], raw: Any) -> str:
    with pytest.raises(LockError) as caught:
        read(from_json(json.dumps(raw), FAIL))
    text = caught.value.render()
    assert text.endswith("\n  -> lock again")
    return text.removesuffix("\n  -> lock again")


_HASH = {"packages": [{}, {"hash": 7}]}


@pytest.mark.parametrize(
    ("read", "raw", "expected"),
    [
        (
            lambda v: [p.optional("hash", Value.sha256) for p in v.at("packages").items()],
            _HASH,
            "packages[1].hash: expected a SHA-256 (64 hexadecimal digits), found a number",
        ),
        (lambda v: v.at("a"), {}, "a: is missing"),
        (lambda v: v.at("a"), [], "expected an object, found a list"),
        (lambda v: v.maybe("a"), None, "expected an object, found null"),
        (
            lambda v: v.at("a").at("b.c").text(),
            {"a": {"b.c": 1}},
            "a['b.c']: expected a text, found a number",
        ),
        (lambda v: v.at("a").texts(), {"a": ["x", None]}, "a[1]: expected a text, found null"),
        (lambda v: v.at("a").texts(empty=False), {"a": [""]}, "a[0]: is empty"),
        (
            lambda v: v.at("a").text(most=2),
            {"a": "xyz"},
            "a: is a text of 3 characters; at most 2 make sense",
        ),
        (lambda v: v.at("a").integer(), {"a": True}, "a: expected a whole number from 0 on, found true"),
        (lambda v: v.at("a").integer(), {"a": -1}, "a: expected a whole number from 0 on, found a number"),
        (
            lambda v: v.at("a").integer(1, 9),
            {"a": 10},
            "a: expected a whole number from 1 on of at most 9, found a number",
        ),
        (lambda v: v.at("a").boolean(), {"a": "no"}, "a: expected true or false, found 'no'"),
        (lambda v: v.at("a").text_members(), {"a": {"x": []}}, "a.x: expected a text, found a list"),
        (lambda v: v.only("a"), {"a": 1, "b": 1, "c": 1}, "unknown keys: b, c"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(read: Callable[[Value], Any], raw: Any, expected: str) -> None:
    assert message(read, raw) == f"a.lock: {expected}"


def test_what_is_right_is_read() -> None:
    value = from_json('{"a": [1, true], "b": {"c": "x"}, "d": null}', FAIL)
    one, yes = value.at("a").items()
    assert (one.integer(), yes.boolean()) == (1, True)
    assert value.at("b").text_members() == {"c": "x"}
    assert (value.maybe("d"), value.maybe("e"), value.optional("d", Value.text)) == (None, None, None)
    assert from_json(f'"{"A" * 64}"', FAIL).sha256() == "a" * 64


def test_a_hostile_key_does_not_fill_the_message() -> None:
    key = "\x1b[2J" + "k" * 10_000
    text = message(lambda v: v.at("a").members()[key].text(), {"a": {key: 1}})
    assert len(text) < 200
    assert text.isprintable()


def test_files_are_read_to_a_limit(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_bytes(b"1234")
    assert bytes_of(file, 4) == b"1234"
    with pytest.raises(ValueError, match="is larger than 3 bytes"):
        bytes_of(file, 3)


@pytest.mark.parametrize(
    "part", [b"a.b=1\n", b"[[a]]\n", b"'a'.", b'"\\n"', b"a={b=1}\n", b"#\n", b"a='''", b'a="']
)
def test_toml_is_read_in_time_that_grows_with_it(part: bytes) -> None:
    start = time.process_time()
    assert len(reason(parse_toml, part * (500_000 // len(part)))) < 300
    assert time.process_time() - start < 2


def test_what_cannot_be_compared() -> None:
    assert fault_of("1." * 100) is None
    assert fault_of("1" * 50) == "it has a number of 50 digits or more"
    assert fault_of("1." * 6000) == "it has 12000 characters"
