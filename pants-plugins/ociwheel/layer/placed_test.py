"""Files at absolute places."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from ociwheel.errors import ImageError, LayerError, OciwheelError, UsageError
from ociwheel.layer import source_layer_step

_MINOR = f"{sys.version_info[0]}.{sys.version_info[1]}"


def place(tmp_path: Path, *rows: dict[str, Any]) -> dict[str, tuple[int, int, int]]:
    """Write the layer of placed files; return mode and owner by path."""
    target = {"schema": "ociwheel.target/1", "platform": "linux/arm64", "python": f"{_MINOR}.2"}
    (tmp_path / "target.json").write_text(json.dumps({**target, "libc": "glibc", "libc_version": "2.36"}))
    (tmp_path / "places.json").write_text(json.dumps(rows))
    placed = tmp_path / "placed"
    placed.mkdir()
    (placed / "0").write_text("a = 1\n")
    (placed / "1").write_text("#!/bin/sh\n")
    (placed / "1").chmod(0o755)
    parser = argparse.ArgumentParser()
    source_layer_step.configure(parser)
    arguments = ["--target", str(tmp_path / "target.json"), "--output", str(tmp_path / "out")]
    arguments += ["--placed", str(placed), "--places", str(tmp_path / "places.json")]
    source_layer_step.run(parser.parse_args(arguments))
    facts = json.loads((tmp_path / "out/layer-facts.json").read_bytes())
    return {path: (mode, uid, gid) for path, kind, mode, uid, gid, *_ in facts["files"] if kind == "f"}


def test_mode_and_owner(tmp_path: Path) -> None:
    assert place(
        tmp_path,
        {"file": "0", "path": "/etc/app/a.ini"},
        {"file": "0", "path": "/etc/app/key", "mode": "0600", "owner": "nonroot"},
        {"file": "0", "path": "/srv/b", "owner": "1000:1001"},
        {"file": "1", "path": "/app/bin/start"},
    ) == {
        "app/bin/start": (0o755, 0, 0),
        "etc/app/a.ini": (0o644, 0, 0),
        "etc/app/key": (0o600, 65532, 65532),
        "srv/b": (0o644, 1000, 1001),
    }


@pytest.mark.parametrize(
    ("row", "error", "message"),
    [
        ({"file": "9", "path": "/etc/a"}, LayerError, "cannot be placed at /etc/a"),
        ({"file": "0", "path": "/etc/../a"}, LayerError, "cannot be placed at /etc/../a"),
        ({"file": "0", "path": "etc/a"}, UsageError, "[0].path: expected an absolute path"),
        ({"file": "0", "path": "/a", "mode": "1777"}, UsageError, "[0].mode: expected a mode such as 0640"),
        ({"file": "0", "path": "/a", "owner": "jo"}, ImageError, "there is no user 'jo' in the image"),
        ({"file": "0", "path": "/app/bin/python"}, LayerError, "which belongs to the base's Python"),
    ],
)
def test_messages(tmp_path: Path, row: dict[str, Any], error: type[OciwheelError], message: str) -> None:
    with pytest.raises(error) as caught:
        place(tmp_path, row)
    assert message in str(caught.value)
