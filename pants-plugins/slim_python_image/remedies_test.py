from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from string import Formatter
from typing import Dict, Set

import pytest
from pants.util.docutil import bin_name

from slim_python_image.remedies import CODES, fault_in, names, render_fault, render_remedy

_CORE = Path(__file__).parents[1] / "ociwheel"


def core_words() -> Dict[str, str]:
    """Return the core's remedies by code, with its own words, read from its source: the wall is not crossed."""
    tree = ast.parse((_CORE / "remedies.py").read_text())
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.AnnAssign) and getattr(node.target, "id", "") == "WORDS":
            assert isinstance(node.value, ast.Dict)
            for key, value in zip(node.value.keys, node.value.values):
                code = str(key.value) if isinstance(key, ast.Constant) else "text"
                found[code] = ast.unparse(value)
    return found


def arguments(words: str) -> Set[str]:
    return set(re.findall(r"\{(\w+)\}", words)) - {"_SETTINGS"}


def test_every_remedy_of_the_core_has_words_and_no_other() -> None:
    assert set(core_words()) == CODES


@pytest.mark.parametrize("code", sorted(core_words()))
def test_a_remedy_is_rendered_with_the_arguments_that_the_core_gives(code: str) -> None:
    given = {name: f"<{name}>" for name in arguments(core_words()[code])}
    text = render_remedy({"code": code, "arguments": given}, names("tools", "bookworm"))
    assert text
    assert not [name for _, name, _, _ in Formatter().parse(text.replace("{", "").replace("}", "")) if name]
    # A resolve or base that the core does not know is replaced by its name.
    for name in set(given) - {"resolve", "base"}:
        assert f"<{name}>" in text
    assert "<resolve>" not in text


def test_commands_and_options_are_those_of_pants() -> None:
    def said(code: str, **given: str) -> str:
        return render_remedy({"code": code, "arguments": given}, names())

    lock = f"{bin_name()} generate-lockfiles"
    assert said("relock") == f"lock again with `{lock}`"
    assert said("relock-build-requirements", resolve="x") == (
        f"lock the build requirements anew: {lock} --resolve=<resolve>-build"
    )
    assert said("name-mirrors", archive="debian") == (
        'name mirrors in pants.toml, [slim-image].debian_mirrors = {"debian" = ["https://<mirror>/debian"]}, or '
        "add an apt source"
    )
    assert said("mark-pure").endswith('give it {"pure": true} in [slim-image].builds')
    assert said("text", text="a {b} c") == "a {b} c"


@pytest.mark.parametrize(
    ("code", "given"),
    [
        ("use-gcc", {}),
        ("emulate", {"platform": "linux/arm/v7"}),
        ("emulate-with-package", {"platform": "linux/arm/v7", "package": "gfortran"}),
        ("use-wheel-or-cargo", {}),
    ],
)
def test_an_image_as_base_is_offered_nothing_that_it_cannot_have(code: str, given: Dict[str, str]) -> None:
    remedy = {"code": code, "arguments": given}
    of_debian, of_image = (
        render_remedy(remedy, names("a", "b", builder_image=is_image)) for is_image in (False, True)
    )
    assert "[slim-image].builds" in of_debian
    assert "[slim-image]" not in of_image
    assert of_image.startswith(
        "use a version that has a wheel for this platform, or put one that was built elsewhere"
    )
    assert of_image.endswith("a `debian_python_base` alone")


def test_an_error_document_is_rendered_with_the_errors_in_it() -> None:
    inner = {
        "kind": "lock",
        "what": "has no hash",
        "where": "a.lock:1",
        "details": ["one"],
        "errors": [],
        "remedy": {"code": "relock", "arguments": {}},
    }
    fault = {**inner, "schema": "ociwheel.error/1", "what": "2 problems:", "where": None, "remedy": None}
    text = json.dumps({**fault, "errors": [inner], "details": []})
    assert fault_in(text) == text
    assert render_fault(text) == (
        f"2 problems:\n  a.lock:1: has no hash\n    one\n    -> lock again with `{bin_name()} generate-lockfiles`"
    )


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": "ociwheel.plan/1"}', "Killed"])
def test_a_step_that_was_ended_leaves_no_document(text: str) -> None:
    assert fault_in(text) is None
