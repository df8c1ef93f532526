from __future__ import annotations

import importlib.util
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs/reference/debian-scripts.md"


def test_the_page_is_what_the_lists_say() -> None:
    spec = importlib.util.spec_from_file_location("generate", HERE / "generate_scripts_reference.py")
    assert spec is not None
    assert spec.loader is not None
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    assert PAGE.read_text(encoding="utf-8") == generate.page(), (
        "PYTHONPATH=pants-plugins python build-support/generate_scripts_reference.py "
        "> docs/reference/debian-scripts.md"
    )
