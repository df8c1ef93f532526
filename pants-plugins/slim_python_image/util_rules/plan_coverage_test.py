from __future__ import annotations

import pytest

from slim_python_image.util_rules.plan_coverage import by_choice


@pytest.mark.parametrize(
    ("no_binary", "only_binary", "expected"),
    [
        ((), (), False),
        (("Demo_Lib",), (), True),
        (("other",), (), False),
        ((":all:",), (), True),
        ((":all:",), ("demo.lib",), False),
        (("demo-lib",), (":all:",), True),
    ],
)
def test_by_choice(no_binary: tuple[str, ...], only_binary: tuple[str, ...], expected: bool) -> None:
    assert by_choice("demo-lib", no_binary, only_binary) is expected
