from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.published_schemas import FOLDER, check_published, reports_in, validator


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*.json")))
def test_a_schema_is_valid_and_closed(name: str) -> None:
    validator(name)
    schema: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_bytes())
    assert schema["$id"].startswith(f"urn:slim-python-image:{name}:")
    assert (
        schema["properties"]["schema"]["const"]
        == f"slim-python-image.{name}/{schema['$id'].rpartition(':')[2]}"
    )
    assert schema["additionalProperties"] is False


def test_what_does_not_fit_is_told_with_its_place(tmp_path: Path) -> None:
    report: dict[str, Any] = {
        "schema": "slim-python-image.report/2",
        "target": "src:image",
        "digest": "sha256:" + "a" * 64,
        "step": None,
        "steps": {},
        "fields": {},
        "platforms": [{}],
    }
    (tmp_path / "layout").mkdir()
    (tmp_path / "layout/oci-layout").touch()
    (tmp_path / "layout/index.json").write_text("{")
    (tmp_path / "image.json").write_text(json.dumps(report))
    (found,) = reports_in(tmp_path)
    with pytest.raises(AssertionError, match=r"platforms/0: 'layers' is a required property"):
        check_published(found)
