from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ociwheel.wording import LONGEST, MASK, brief, escaped, quoted, redact, shown


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://jo:s3cret@host/simple", f"https://{MASK}@host/simple"),
        ("https://token@host/simple", f"https://{MASK}@host/simple"),
        ("https://jo:p@ss@host/a@b", f"https://{MASK}@host/a@b"),
        ("https://jo:p@ss@w@host?x=1", f"https://{MASK}@host?x=1"),
        ("git+https://jo:x@h/a.git", f"git+https://{MASK}@h/a.git"),
        ("jo:s3cret@proxy:3128 refused", f"{MASK}@proxy:3128 refused"),
        ("proxy 'jo:p@ss@proxy:3128'", f"proxy '{MASK}@proxy:3128'"),
        ("proxy=jo:s3@proxy", f"proxy={MASK}@proxy"),
        ("https://h/x?token=abc&a=1", f"https://h/x?token={MASK}&a=1"),
        ("https://h/x?a=1&X-Amz-Signature=abc#f", f"https://h/x?a=1&X-Amz-Signature={MASK}#f"),
        ("https://h/x?access_token=abc;sig=def", f"https://h/x?access_token={MASK};sig={MASK}"),
        ("?password=a&API_KEY=b&client_secret=c", f"?password={MASK}&API_KEY={MASK}&client_secret={MASK}"),
        ("Authorization: Basic am86eA==", f"Authorization: Basic {MASK}"),
        ("'authorization': 'Bearer ab.cd'", f"'authorization': 'Bearer {MASK}'"),
    ],
)
def test_credentials_are_left_out(text: str, expected: str) -> None:
    assert redact(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "python:3.11-slim@sha256:" + "0" * 64,
        "127.0.0.1:5000/team/python:3.11@sha256:" + "0" * 64,
        "https://host/simple/@scope/pkg",
        "a @ https://host/a.whl",
        "libfoo=1:2.3-1:amd64",
        "mail jo@example.com: no",
        "src/app:image, host:x @y",
        "https://h/x?page=1&name=a",
    ],
)
def test_what_is_no_credential_stays(text: str) -> None:
    assert redact(text) == text


def test_a_credential_that_is_cut_is_left_out_all_the_same() -> None:
    secret = "s3cret" * 100
    assert "s3cret" not in shown(f"{'x' * (LONGEST - 20)} https://jo:{secret}@host/")


def test_a_terminal_is_not_obeyed() -> None:
    assert escaped("a\x1b[31mred\x1b[0m\x1b]0;title\x07") == "ared\\x1b]0;title\\x07"
    assert escaped("a\nerror: b\rc\x00\x7f\x85") == "a\\nerror: b\\rc\\x00\\x7f\\x85"
    assert escaped("a\u202eb\u2066c\u200b\ufeff\ud800") == "a\\u202eb\\u2066c\\u200b\\ufeff\\ud800"
    assert escaped("täglich 日本 \t|") == "täglich 日本     |"


@given(st.text(st.characters(codec=None), max_size=200))
def test_what_is_shown_is_one_line_that_prints(text: str) -> None:
    found = shown(text, 100)
    assert found.isprintable()
    assert len(found) <= 100
    found.encode()


@pytest.mark.parametrize(
    "part", ["a", ":", "@", "a:", "a@", "://", "?a=", "&token=", "authorization:", " ", "\x1b["]
)
def test_any_text_is_shown_in_time_that_grows_with_it(part: str) -> None:
    start = time.process_time()
    assert len(shown(part * (1_000_000 // len(part)))) <= LONGEST
    assert time.process_time() - start < 1


def test_values_are_quoted_in_short() -> None:
    assert quoted("x" * 500) == repr("x" * 79 + "…")
    assert [quoted(v) for v in (None, True, 10**5000, 1.5, [1], {"a": 1})] == [
        *("null", "true", "a number", "a number", "a list", "an object")
    ]
    assert brief("a  \n b" + " " * 100_000) == "a b"
