"""Documents for users, held to the JSON schemas that are published for them: `docs/reference/schemas`."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

FOLDER = Path(__file__).parents[2] / "docs/reference/schemas"
_PREFIX = "slim-python-image."


@cache
def validator(name: str) -> Draft202012Validator:
    """Return the validator of a schema, which is itself a valid one."""
    schema = json.loads((FOLDER / f"{name}.json").read_bytes())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def check_published(document: Any) -> None:
    """Hold a document to the schema of its kind.

    :raises AssertionError: naming each place that does not fit.
    """
    kind = document["schema"].removeprefix(_PREFIX).partition("/")[0]
    faults = [
        f"{'/'.join(map(str, one.absolute_path))}: {one.message[:300]}"
        for one in validator(kind).iter_errors(document)
    ]
    assert not faults, "\n".join(faults[:50])


def reports_in(dist: Path) -> Iterator[dict[str, Any]]:
    """Yield the reports that `package` wrote below a folder."""
    for folder, below, names in os.walk(dist):
        if "oci-layout" in names:
            below.clear()
            continue
        for name in names:
            if name.endswith(".json"):
                document = json.loads(Path(folder, name).read_bytes())
                if isinstance(document, dict) and str(document.get("schema", "")).startswith(
                    f"{_PREFIX}report/"
                ):
                    yield document
