from __future__ import annotations

from pathlib import Path

from generate_steps_reference import render

from ociwheel.cli.main import STEPS

PAGE = Path(__file__).parents[1] / "docs/reference/steps.md"


def test_the_page_is_what_the_code_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == render(), (
        "PYTHONPATH=pants-plugins python build-support/generate_steps_reference.py > docs/reference/steps.md"
    )


def test_every_step_and_argument_is_explained() -> None:
    page = render()
    for step in STEPS:
        assert f"## `{step}`\n" in page
    assert "|  |\n" not in page.replace("| argument | | meaning |", ""), "an argument without a help text"
