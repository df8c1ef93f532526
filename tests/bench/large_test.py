"""What `bench/large` and `bench/scale` measure with, without a tool: wheels, ratios, pages."""

from __future__ import annotations

import hashlib
import json
import urllib.request
import zipfile
from pathlib import Path
from typing import Any

import pytest

from bench.load import large, scale
from bench.load.large_report import LARGE, SMALL, render
from bench.load.made_wheels import MEGABYTE, MODULES, Shape, fill, lock_text
from bench.load.scale_report import render as render_scale
from bench.side.mirror import serving
from ociwheel.fetch.simple_api import JSON_TYPE

SHAPE = Shape(12, 1)


def test_a_few_distributions_are_large_and_all_have_the_megabytes_asked_for() -> None:
    sizes = Shape(400, 1000).sizes()
    assert sizes == sorted(sizes, reverse=True)
    assert 0.999 * 1000 * MEGABYTE < sum(sizes) <= 1000 * MEGABYTE
    assert sizes[0] > 40 * MEGABYTE
    assert sizes[-1] < MEGABYTE
    assert set(Shape(400, 1000).names()).isdisjoint(Shape(400, 500).names())


def test_a_mirror_serves_made_wheels_and_asks_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    hashes = fill(tmp_path, SHAPE)
    assert list(hashes) == SHAPE.names()
    written = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.whl")}
    assert fill(tmp_path, SHAPE) == hashes, "what is there already is kept"
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.whl")} == written
    name = SHAPE.name(0)
    with zipfile.ZipFile(next(path for path in written if path.name.startswith(name))) as archive:
        modules = [one for one in archive.namelist() if one.startswith(f"{name}/module_")]
        assert len(modules) == MODULES
        compile(archive.read(modules[0]), modules[0], "exec")
    with serving(tmp_path) as server:
        asked = urllib.request.Request(f"{server.index}{name}/", headers={"Accept": JSON_TYPE})
        with urllib.request.urlopen(asked) as answer:
            (file,) = json.load(answer)["files"]
        assert file["hashes"] == {"sha256": hashes[name]}
        with urllib.request.urlopen(file["url"] + ".metadata") as answer:
            metadata = answer.read()
        assert file["core-metadata"] == {"sha256": hashlib.sha256(metadata).hexdigest()}
        assert f"Name: {name}\n".encode() in metadata
        with urllib.request.urlopen(file["url"]) as answer:
            assert len(answer.read()) == file["size"]
        assert server.mirror.misses == 0
    assert lock_text(hashes, [name]) == f"{name}==1.0 --hash=sha256:{hashes[name]}\n"


def _figures(seconds: float, **more: float) -> dict[str, Any]:
    return {"seconds": seconds, "all_seconds": [seconds] * 3, "cpu": seconds / 2, **more}


def _image(same: float, source: float, others: float) -> dict[str, Any]:
    scenarios = {"cold": _figures(100.0), "same": _figures(same), "source": _figures(source, others=others)}
    return {
        **{key: {"memory": 700_000_000, **figures} for key, figures in scenarios.items()},
        "memory": {"daemon": 500_000_000, "client": 20_000_000},
    }


def test_the_page_of_the_large_image_says_what_missed_and_stands_beside_the_other() -> None:
    tools = {
        "ours": {SMALL: _image(0.2, 0.4, 0.1), LARGE: _image(0.24, 0.6, 0.7)},
        "buildkit": {SMALL: _image(0.1, 0.1, 0.1), LARGE: _image(0.2, 0.3, 0.1)},
    }
    ratios = large.ratios(tools)
    assert ratios == {
        "ours, same": 1.2,
        "ours, source": 1.5,
        "buildkit, same": 2.0,
        "buildkit, source": 3.0,
    }
    document: dict[str, Any] = {
        "date": "2026-01-01",
        "machine": "2 cores",
        "modules": MODULES,
        "small": 10,
        "shape": {"distributions": 400, "megabytes": 1000},
        "tools": tools,
        "ratios": ratios,
    }
    page = render(document, "bench/results/large-x.json", large.LIMIT).splitlines()
    assert "- nothing changed: 1.20: met" in page
    assert "- one source file changed: 1.50: **missed**" in page
    assert "| one source file changed, ours | 0.40 | 0.60 | 1.50 | 2.00 | 0.20 | 0.30 |" in page
    assert "| one source file changed, buildkit | 0.10 | 0.30 | 3.00 |  | 0.05 | 0.15 |" in page
    assert "| client, ours | 20 | 20 |" in page
    assert any("at most 0.70 processors busy: **not a quiet machine**" in line for line in page)


def test_a_quick_run_of_scale_has_the_ratio_that_the_limit_is_about() -> None:
    def row(name: str, seconds: float) -> dict[str, Any]:
        zeros = dict.fromkeys(
            ("scheduler_bytes", "steps_bytes", "cache_requests", "cache_hits", "store_bytes"), 0
        )
        return {"scenario": name, "seconds": seconds, "steps": {}, **zeros}

    rows = [row(scale.COLD_DAEMON, 200.0), row(scale.SAME_DAEMON, 1.8), row(scale.SOURCE, 2.2)]
    rows.append(row(scale.DEPENDENCIES, 1.4))  # beside them, and in no ratio
    rows += [row(scale.ARCHIVES + scale.COLD_DAEMON, 20.0), row(scale.ARCHIVES + scale.SAME_DAEMON, 1.5)]
    measured = {"images": 300, "wheels": 50, "wheels_of_an_image": 8, "images_of_the_lock_line": 39}
    document: dict[str, Any] = {
        "date": "2026-01-01",
        "machine": "2 cores",
        "measurements": [{**measured, "dist_bytes": 1 << 30, "rows": rows}],
    }
    document["ratios"] = scale.ratios(document)
    assert document["ratios"] == {f"300, {scale.SAME_DAEMON}": 1.2}
    page = render_scale(document)
    assert "| 300, nothing changed, daemon | **1.20** |" in page
    assert f"| {scale.DEPENDENCIES} | 1.4 |" in page
    assert "`dist` takes 1024 MiB. The line of the lock is that of 39 images." in page
