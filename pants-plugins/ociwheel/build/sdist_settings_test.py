from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from ociwheel.build.sdist_settings import Settings
from ociwheel.errors import UsageError


def test_settings_are_read_as_they_are_written(tmp_path: Path) -> None:
    """As the request of a build's own process is: each field has to be known there."""
    settings = Settings("a", "1", {"X": "1"}, {"k": ["v"]}, pure=True, compiler="gcc", resolve="r", base="b")
    (tmp_path / "settings.json").write_text(json.dumps(asdict(settings)))
    assert Settings.read(tmp_path / "settings.json") == settings
    (tmp_path / "settings.json").write_text('{"name": "a", "version": "1"}')
    assert Settings.read(tmp_path / "settings.json") == Settings("a", "1")


def test_a_compiler_is_clang_or_gcc(tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text('{"name": "a", "version": "1", "compiler": "icc"}')
    with pytest.raises(UsageError, match="compiler: expected one of clang, gcc, found 'icc'"):
        Settings.read(tmp_path / "settings.json")
