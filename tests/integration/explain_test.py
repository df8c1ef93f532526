"""``./pants slim-explain``: why a digest is another than that of an earlier build."""

from __future__ import annotations

import json
import shutil
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from tests.integration.monorepo import OLD_IDNA, write_monorepo
from tests.integration.repository import Caches, Repository, locked, make_repository, stopped, version
from tests.support.published_schemas import check_published

pytestmark = pytest.mark.slow
IMAGE = "src/child:image"


def explain(repository: Repository, *arguments: str) -> str:
    run = repository.pants("slim-explain", *arguments, IMAGE, daemon=True)
    assert run.exit_code == 0, run.stderr
    return run.stdout


def causes(repository: Repository, against: Path) -> set[tuple[str, str, str | None, str | None]]:
    """Return what changed layers, told for programs."""
    document = json.loads(explain(repository, f"--against={against}", "--format=json"))
    check_published(document)
    (image,) = document["images"]
    (platform,) = image["platforms"]
    found: list[dict[str, Any]] = [cause for layer in platform["layers"] for cause in layer["causes"]]
    assert image["status"] == platform["status"] == "changed"
    return {(one["kind"], one["subject"], one["earlier"], one["current"]) for one in found}


def test_what_changed_is_named(tmp_path: Path, plugin: Path, caches: Caches) -> None:
    made = write_monorepo(make_repository(tmp_path / "repository", caches, plugin=plugin))
    with stopped(made) as repository:
        repository.package(IMAGE, daemon=True)
        written = repository.root / "dist/src.child/image.json"
        first, second = tmp_path / "first.json", tmp_path / "second.json"
        shutil.copy2(written, first)

        # Against what `package` wrote, which is the same.
        assert explain(repository) == f"{IMAGE}: the same\n  linux/amd64: the same\n"

        repository.edit("src/child/child/__main__.py", "ö.example", "explain.example")
        assert explain(repository, "--graph=pictures/image.svg") == "Wrote pictures/image.svg\n"
        drawn = ET.parse(repository.root / "pictures/image.svg")  # noqa: S314 (our own)
        hints = [one.text or "" for one in drawn.iter("{http://www.w3.org/2000/svg}title")]
        shown = {" ".join(hint.split()[:3]) for hint in hints}
        assert {"distribution idna 3.10:", "Debian package libc6", "first-party code first-party"} <= shown
        assert (
            explain(repository, f"--against={first}", "--page=pictures/page.html")
            == "Wrote pictures/page.html\n"
        )
        page = (repository.root / "pictures/page.html").read_text()
        assert "source file child/__main__.py changed" in page
        assert page.count("<svg ") == 2
        (changed,) = causes(repository, first)
        assert changed[:2] == ("source file", "child/__main__.py")
        # It has written nothing to dist: the default is still what `package` wrote.
        assert written.read_bytes() == first.read_bytes()

        repository.package(IMAGE, daemon=True)
        shutil.copy2(written, second)
        repository.edit("3rdparty/python/default.lock", OLD_IDNA, locked("idna"))
        assert ("wheel", "idna", "3.10", version("idna")) in causes(repository, second)

        repository.edit("src/child/BUILD", 'entry_point="child",', 'entry_point="child", env={"A": "1"},')
        text = explain(repository, f"--against={second}")
        assert "    field env.A added (1)\n" in text
        assert f"      wheel idna: 3.10 -> {version('idna')}\n" in text

        run = repository.pants("slim-explain", "--against=gone.json", IMAGE, daemon=True)
        assert run.exit_code == 1
        assert "gone.json: cannot be read (No such file or directory)" in run.error
