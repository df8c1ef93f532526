from __future__ import annotations

import pytest

from ociwheel.base.modes import changed


@pytest.mark.parametrize(
    ("text", "before", "after"),
    [
        ("0755", 0o644, 0o755),
        ("4750", 0o644, 0o4750),
        ("u+s", 0o755, 0o4755),
        ("u-s", 0o4755, 0o755),
        ("ug+s,o-rx", 0o755, 0o6750),
        ("g=u", 0o640, None),
        ("g=rx", 0o2777, 0o2757),
        ("+x", 0o644, 0o755),
        ("+w", 0o444, None),  # what a umask would take from it is not known
        ("a+w", 0o444, 0o666),
        ("o+t", 0o777, 0o1777),
        ("go-rwx", 0o755, 0o700),
        ("a+X", 0o644, 0o644),
        ("a+X", 0o744, 0o755),
        ("", 0o644, None),
        ("rwx", 0o644, None),
        ("99", 0o644, None),
    ],
)
def test_what_a_mode_becomes(text: str, before: int, after: int | None) -> None:
    assert changed(text, before, folder=False) == after


def test_a_folder_is_searched() -> None:
    assert changed("go+X", 0o700, folder=True) == 0o711
