"""The digests of the example's images, as they are recorded, and the command that records them anew."""

from __future__ import annotations

import json
import sys
from pathlib import Path

FILE = Path(__file__).with_name("example-digests.json")


def digests(dist: Path) -> dict[str, dict[str, str]]:
    """Return the digests below a `dist` folder: of each image target, that of its index and of each platform."""
    found = {}
    for path in sorted(dist.glob("*/image.json")):
        report = json.loads(path.read_bytes())
        platforms = {one["platform"]: one["digest"] for one in report["platforms"]}
        found[report["target"]] = {"index": report["digest"], **platforms}
    return found


def recorded() -> dict[str, dict[str, str]]:
    """Return what is recorded."""
    found = json.loads(FILE.read_bytes())
    assert isinstance(found, dict)
    return found


if __name__ == "__main__":
    FILE.write_text(json.dumps(digests(Path(sys.argv[1])), indent=1, sort_keys=True) + "\n")
