"""The step that fetches Debian packages, with its request and its answer."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ociwheel_testing.simple_index import Answer, SimpleIndex, sha256

from ociwheel.debian import fetch_debs_step
from ociwheel.errors import UsageError
from ociwheel.transport import settings
from ociwheel.transport.settings import NetworkSettings
from tests.support.schema_examples import examples
from tests.support.schemas import faults, spoilt

DATA = b"!<arch>\n" * 50
ROW: Mapping[str, Any] = {
    "archive": "debian",
    "path": "pool/main/t/tini/tini_0.19.0-1_amd64.deb",
    "size": len(DATA),
    "sha256": sha256(DATA),
}


def run(folder: Path, request: object) -> dict[str, Any]:
    (folder / "request.json").write_text(json.dumps(request))
    parser = argparse.ArgumentParser()
    fetch_debs_step.configure(parser)
    arguments = ["--request", str(folder / "request.json"), "--output", str(folder / "out")]
    return fetch_debs_step.run(parser.parse_args(arguments))


def request(*rows: Mapping[str, Any]) -> dict[str, Any]:
    return {"schema": "ociwheel.debs/1", "packages": [*rows]}


def test_packages_are_fetched_and_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = {**ROW, "path": "pool/main/t/tini/tini-static_0.19.0-1_amd64.deb"}
    with SimpleIndex() as mirror:
        machine = NetworkSettings(debian_mirrors={"debian": (mirror.root,)}, timeout=5)
        monkeypatch.setattr(settings, "load", lambda: machine)
        for row in (ROW, other):
            mirror.script[f"/{row['path']}"] = [Answer(body=DATA)]
        answer = run(tmp_path, request(other, ROW))
    listed = {"sha256": sha256(DATA), "size": len(DATA)}
    assert answer["packages"] == [
        {"filename": "tini-static_0.19.0-1_amd64.deb", **listed},
        {"filename": "tini_0.19.0-1_amd64.deb", **listed},
    ]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        row["filename"] for row in answer["packages"]
    ]


def test_a_request_is_read_as_its_schema_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch_debs_step, "fetch_debs", lambda *_: [])
    (example,) = examples("debs")
    good = {**example, "packages": [{**example["packages"][0], "path": ROW["path"]}]}
    assert faults(good, "debs") == []
    assert run(tmp_path, good)["packages"] == []
    wrong = [other for other in (*spoilt(good), {**good, "packages": []}) if faults(other, "debs")]
    assert len(wrong) > 10
    for other in wrong:
        with pytest.raises(UsageError, match=re.escape("request.json: ")) as caught:
            run(tmp_path, other)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"archive": "ubuntu"}, "packages[0].archive: expected debian or debian-security, found 'ubuntu'"),
        ({"size": -1}, "packages[0].size: expected a whole number from 0 on, found a number"),
        ({"sha256": "x"}, "packages[0].sha256: expected a SHA-256 (64 hexadecimal digits), found 'x'"),
        ({"path": "x" * 2000}, "packages[0].path: is a text of 2000 characters; at most 1000 make sense"),
        ({"path": "pool/../../etc/x.deb"}, "'pool/../../etc/x.deb' is no path of a package in an archive"),
    ],
)
def test_requests_that_make_no_sense(tmp_path: Path, changed: Mapping[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        run(tmp_path, request({**ROW, **changed}))
