"""Lines of lockfiles, and which of them an image needs."""

from __future__ import annotations

import json

from slim_python_image.util_rules.lock_lines import Line, parse_lines, reached

TEXT = b"""\
# by uv
web==1.0 \\
    --hash=sha256:bb \\
    --hash=sha256:aa
    # via -r requirements.txt
Fast_Lib==2.0 ; sys_platform == 'linux' \\
    --hash=sha256:cc
    # via web
slow==3 ; python_full_version < '3.9' \\
    --hash=sha256:dd
    # via
    #   web
    #   other
other==4 --hash=sha256:ee
    # via -r requirements.txt
"""


def test_a_line_is_version_hashes_marker_and_who_requires_it() -> None:
    lines = {line.name: line for line in parse_lines(TEXT).lines}
    assert lines["web"] == Line("web", "1.0 sha256:aa sha256:bb", ())
    assert lines["fast-lib"] == Line("fast-lib", "2.0 sha256:cc sys_platform == 'linux'", ("web",))
    assert lines["slow"].required_by == ("other", "web")
    assert lines["other"].pin == "4 sha256:ee"


def test_an_image_needs_what_its_requirements_reach() -> None:
    lines = parse_lines(TEXT).lines
    assert set(reached(["web"], lines)) == {"web", "fast-lib", "slow"}
    assert set(reached(["other"], lines)) == {"other", "slow"}
    assert reached(["fast-lib"], lines) == {"fast-lib": ["2.0 sha256:cc sys_platform == 'linux'"]}


def test_a_line_of_which_nobody_says_who_requires_it_counts() -> None:
    lines = parse_lines(b"a==1 --hash=sha256:aa\nb==2 --hash=sha256:bb\n").lines
    assert set(reached(["a"], lines)) == {"a", "b"}


def test_who_requires_a_line_in_one_line() -> None:
    data = b"""\
a==1 \\
    --hash=sha256:aa
    # via -r requirements.txt
b==2 \\
    --hash=sha256:bb
    # via a, other
"""
    lines = parse_lines(data).lines
    assert [line.required_by for line in lines] == [(), ("a", "other")]
    assert set(reached(["a"], lines)) == {"a", "b"}


def test_a_line_that_is_pinned_to_a_url() -> None:
    data = b"""\
a==1 \\
    --hash=sha256:aa
    # via -r requirements.txt
b @ https://files.example.com/b-2-py3-none-any.whl ; sys_platform == 'linux' \\
    --hash=sha256:bb
    # via -r requirements.txt
"""
    pin = "https://files.example.com/b-2-py3-none-any.whl sha256:bb sys_platform == 'linux'"
    assert reached(["b"], parse_lines(data).lines) == {"b": [pin]}


def test_of_a_lock_of_pex_in_which_others_are_required_all_counts() -> None:
    entry = {"project_name": "a", "version": "1", "requires_dists": ["b"], "artifacts": []}
    lock = {"locked_resolves": [{"locked_requirements": [entry]}]}
    assert parse_lines(json.dumps(lock).encode()).whole == ""
    assert parse_lines(json.dumps({**lock, "overridden": ["b=c"]}).encode()).whole != ""


def test_a_lock_of_pex_says_what_requires_what() -> None:
    def entry(name: str, *requires: str) -> dict[str, object]:
        artifacts = [{"algorithm": "sha256", "hash": name * 2}]
        return {
            "project_name": name,
            "version": "1",
            "requires_dists": list(requires),
            "artifacts": artifacts,
        }

    lock = {"locked_resolves": [{"locked_requirements": [entry("a", "B>=1"), entry("b"), entry("c")]}]}
    data = b"// Pants's header\n" + json.dumps(lock).encode()
    assert reached(["a"], parse_lines(data).lines) == {"a": ["1 sha256:aa"], "b": ["1 sha256:bb"]}


def test_of_any_other_lock_all_counts() -> None:
    first, second = parse_lines(b"version = 1\n"), parse_lines(b"version = 2\n")
    assert not first.lines
    assert first.whole != second.whole != ""
