"""Scripts of maintainers, in the shapes that packages have, and what a new installation would call."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ociwheel.debian.conditions import Conditions
from ociwheel.debian.follow import UNKNOWN, Call, Follower
from ociwheel.debian.shell import ShellError, parse
from ociwheel.formats.entries import Entry

THERE = {
    "/etc/old.conf": Entry("etc/old.conf", "file", 0o644, source=b""),
    "/usr/share/x": Entry("usr/share/x", "dir", 0o755),
    "/usr/bin/tool": Entry("usr/bin/tool", "file", 0o755, source=b""),
}


def follow(script: str, arguments: Sequence[str] = ("configure", ""), **questions: str) -> tuple[Call, ...]:
    conditions = Conditions(THERE.get, lambda _, name: name in {"root", "staff"})
    variables = {"DPKG_MAINTSCRIPT_ARCH": "arm64"}
    return Follower(conditions, variables, questions).follow(script, arguments)


def words(script: str, **questions: str) -> list[str]:
    """Return the calls, without those that only ask, one text each."""
    return [
        ("" if call.sure else "? ") + " ".join(call.words).replace(UNKNOWN, "<?>")
        for call in follow(script, **questions)
        if call.words[0] not in {"[", "test", "dpkg", "true"}
    ]


@pytest.mark.parametrize(
    ("script", "calls"),
    [
        # what a new installation does, and what an upgrade or a trigger does
        ('case "$1" in\nconfigure|reconfigure) run it;;\ntriggered) no\n;; *) never;; esac', ["run it"]),
        ('if [ "$1" = triggered ]; then no; exit 0; fi\nrun', ["run"]),
        ('if [ "$1" = configure ] && [ -n "$2" ]; then no; else run; fi', ["run"]),
        ('if dpkg --compare-versions "$2" lt-nl 1.0; then no; fi; run', ["run"]),
        ('if dpkg --compare-versions "$2" lt 1.0; then run; fi', ["run"]),
        ("run; exit 0; no", ["run"]),
        # files of the layer
        ("[ -e /etc/old.conf ] && run; [ -e /etc/new.conf ] && no || other", ["run", "other"]),
        ("if [ ! -d /usr/share/x -o ! -x /usr/bin/tool ]; then no; fi", []),
        ("if command -v tool >/dev/null 2>&1; then run; elif which other; then no; fi", ["run"]),
        # what is not known is followed both ways
        ("if grep -q x /etc/y; then one; else other; fi", ["grep -q x /etc/y", "? one", "? other"]),
        ('x=$(date); echo $x; [ -n "$x" ] && run', ["date", "echo <?>", "? run"]),
        ("if grep -q a b; then exit 0; fi; run", ["grep -q a b", "run"]),
        # variables, loops and functions
        ("A=b; for i in one two; do run $i.$A; done", ["run one.b", "run two.b"]),
        ("L='a b'; run $L \"$L\" '$L'", ["run a b a b $L"]),
        ('f() { run "$1" $#; return 0; no; }\nf x y && g', ["run x 2", "g"]),
        ("x=/usr/lib/foo.so.1; run ${x%.so*} ${x##*/} ${y:-else} ${x:+yes}", ["run /usr/lib/foo foo.so.1 else yes"]),
        ("run `dpkg --print-architecture` $(echo a b)", ["echo a b", "run arm64 a b"]),
        ("set -- a b; shift; run $1 $DPKG_MAINTSCRIPT_ARCH", ["run b arm64"]),
        # writing
        ("cat > /etc/x <<EOF\nif not a command\nEOF\nrun", ["cat", "run"]),
        ("update-alternatives \\\n  --install /a b \\\n  c 1 # why\nrun", ["update-alternatives --install /a b c 1", "run"]),
        # questions have their defaults
        ('db_get pkg/colour; case "$RET" in red) run;; *) no;; esac', ["run"]),
    ],
)  # fmt: skip
def test_what_a_new_installation_calls(script: str, calls: list[str]) -> None:
    assert words(script, **{"pkg/colour": "red"}) == calls


def test_files_that_are_written() -> None:
    (call,) = follow("echo a > /etc/x 2>/dev/null")
    assert call == Call(("echo", "a"), sure=True, writes=("/etc/x",))


@pytest.mark.parametrize(
    "script", ["if true; then", "case $1 in", "f() {", "a 'b", 'a "b', "$(", "${a", "fi", "a | ;"]
)
def test_no_script(script: str) -> None:
    with pytest.raises(ShellError):
        follow(script)


def test_words_are_bounded() -> None:
    """A finding of the fuzzer: arguments that double took all memory."""
    with pytest.raises(ShellError, match="its words have more than 8388608 characters together"):
        follow("set -- a b c d; " + 'set -- "$@" "$@"; ' * 40)
    with pytest.raises(ShellError, match="its words have"):
        follow("x=" + "a" * 60_000 + "; " + "run $x; " * 200)


@pytest.mark.parametrize(
    "script",
    [
        "x=a; " + "x=$x$x; " * 60 + "run ${x%%b*}",
        "f() { f; f; }\nf",
        "$(" * 500,
        "if true; then " * 500,
        "for i in 1 2 3 4 5 6 7 8 9; do " * 8 + "run;" + " done;" * 8,
    ],
)
def test_a_script_that_would_take_long_ends_soon(script: str) -> None:
    start = time.monotonic()
    with contextlib.suppress(ShellError):
        follow(script)
    assert time.monotonic() - start < 10


_PIECES = st.sampled_from(
    [
        *(
            "if",
            "then",
            "fi",
            "case",
            "in",
            "esac",
            ";;",
            "for",
            "do",
            "done",
            "{",
            "}",
            "(",
            ")",
            "$(",
            "${x",
        ),
        *(
            "`",
            "'",
            '"',
            "\n",
            " ",
            ";",
            "&&",
            "||",
            "|",
            ">",
            "<<E",
            "\\",
            "#",
            "x=",
            "[",
            "]",
            "$1",
            "a",
            "*",
        ),
    ]
)


@given(st.lists(_PIECES, max_size=40).map("".join))
def test_any_text_is_followed_or_refused(script: str) -> None:
    with contextlib.suppress(ShellError):
        parse(script)
        follow(script)
