from __future__ import annotations

from pathlib import Path

from slim_python_image.reference import render

PAGE = Path(__file__).parents[2] / "docs/reference/targets.md"


def test_the_page_is_what_the_code_says() -> None:
    command = "python -m slim_python_image.reference > ../docs/reference/targets.md"
    assert PAGE.read_text(encoding="utf-8") == render(), command


def test_every_option_is_explained() -> None:
    page = render()
    for option in ("builds", "debian_mirrors", "layer_budget", "pass_environment"):
        assert f"### `{option}`\n\n" in page
