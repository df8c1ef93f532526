from __future__ import annotations

from pathlib import Path

from ociwheel.elf.reached import DRIVER_LIBRARIES, OPTIONAL_FILES, is_driver


def test_what_is_let_pass_is_published() -> None:
    page = (Path(__file__).parents[3] / "docs/reference/audit.md").read_text()
    rows = [f"| `{glob}` |" for glob in DRIVER_LIBRARIES]
    rows += [f"| `{name}` | `{glob}` |" for name, globs in OPTIONAL_FILES.items() for glob in globs]
    assert [row for row in rows if f"{row}\n" not in page] == []
    assert page.count("\n| `") == len(rows)


def test_libraries_of_the_driver() -> None:
    assert is_driver("libnvidia-ml.so.1")
    assert not is_driver("libcudart.so.12")
    assert not is_driver("")
