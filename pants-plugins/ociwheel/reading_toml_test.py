"""A TOML file of others: what is in it, or an error that names the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from ociwheel.errors import BuildError
from ociwheel.reading import DocumentLimits, failing
from ociwheel.reading_toml import read_toml

FAIL = failing(BuildError, "Cargo.lock")


def test_a_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "Cargo.lock").write_text("version = 4\n")
    assert read_toml(tmp_path / "Cargo.lock", FAIL).raw == {"version": 4}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "No such file or directory"),
        ("a = 1  # " + "x" * 100, "is larger than 100 bytes"),
        ("a = ", "is not TOML"),
    ],
)
def test_one_that_cannot_be_read_is_named(tmp_path: Path, text: str | None, message: str) -> None:
    path = tmp_path / "Cargo.lock"
    if text is not None:
        path.write_text(text)
    with pytest.raises(BuildError) as e:
        read_toml(path, FAIL, DocumentLimits(size=100))
    assert "Cargo.lock" in str(e.value)
    assert message in str(e.value)
