"""Yanked files, against an index on the loopback interface: JSON (PEP 691) and HTML (PEP 592)."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import pytest
from ociwheel_testing.simple_index import Answer, Offered, SimpleIndex, sha256

from ociwheel import schemas
from ociwheel.errors import FetchError, UsageError
from ociwheel.fetch import yanked_step
from ociwheel.fetch.index import IndexClient
from ociwheel.fetch.yanked import LockedVersion, yanked
from ociwheel.transport.network import Network
from ociwheel.transport.settings import NetworkSettings
from tests.support.values import value_of

GOOD = Offered("demo-1.0-py3-none-any.whl", b"good")
BAD = Offered("bad-1.0-py3-none-any.whl", b"bad", yanked=True)
SOURCE = Offered("bad-1.0.tar.gz", b"source")


def locked(name: str, *files: Offered) -> LockedVersion:
    return LockedVersion(name, "1.0", frozenset(sha256(file.data) for file in files))


def client(*indexes: SimpleIndex) -> IndexClient:
    machine = NetworkSettings(indexes=tuple(one.url for one in indexes), timeout=5)
    return IndexClient(machine, Network(machine, sleep=lambda _seconds: None))


@pytest.mark.parametrize(("as_json", "reason"), [(True, None), (False, "bad")])
def test_a_locked_file_that_is_yanked(as_json: bool, reason: str | None) -> None:
    with SimpleIndex({"demo": [GOOD], "bad": [BAD, SOURCE]}, as_json=as_json) as index:
        rows = yanked(client(index), [locked("demo", GOOD), locked("bad", BAD, SOURCE)])
    assert rows == [
        {"name": "bad", "version": "1.0", "status": "yanked", "files": [BAD.filename], "reason": reason}
    ]


def test_a_yanked_file_that_is_not_locked_does_not_matter() -> None:
    with SimpleIndex({"bad": [BAD, SOURCE]}) as index:
        assert yanked(client(index), [locked("bad", SOURCE)]) == []


def test_a_version_that_no_index_has() -> None:
    with SimpleIndex({"bad": [SOURCE]}) as index:
        rows = yanked(client(index), [locked("bad", BAD), locked("demo", GOOD)])
    assert [(one["name"], one["status"], one["files"]) for one in rows] == [
        ("bad", "gone", []),
        ("demo", "gone", []),
    ]


def test_an_index_without_hashes_has_what_it_names() -> None:
    with SimpleIndex({"demo": [replace(GOOD, with_hash=False)]}) as index:
        assert yanked(client(index), [locked("demo", GOOD)]) == []
        assert [
            one["status"] for one in yanked(client(index), [replace(locked("demo", GOOD), version="2")])
        ] == ["gone"]


def test_what_no_index_answers_for_is_an_error_and_not_gone() -> None:
    with SimpleIndex({"demo": []}) as empty, SimpleIndex({"demo": [GOOD]}) as broken:
        broken.script["/simple/demo/"] = [Answer(403, b"no")] * 9
        with pytest.raises(FetchError, match="no index says what became of it") as e:
            yanked(client(empty, broken), [locked("demo", GOOD)])
    assert "demo 1.0" in str(e.value)
    with pytest.raises(FetchError, match="demo"):
        yanked(client(), [locked("demo", GOOD)])


def test_the_step_reads_a_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    request = tmp_path / "request.json"
    row = {"name": "Bad", "version": "1.0", "sha256": [sha256(BAD.data)]}
    request.write_text(json.dumps({"versions": [row]}))
    with SimpleIndex({"bad": [BAD]}) as index:
        (tmp_path / "network.json").write_text(json.dumps({"indexes": [index.url]}))
        monkeypatch.setenv("OCIWHEEL_MACHINE", str(tmp_path))
        answer = yanked_step.run(argparse.Namespace(request=request))
    schemas.check(value_of(answer), "yanked")
    assert (answer["versions"], [one["name"] for one in answer["yanked"]]) == (1, ["bad"])
    request.write_text(json.dumps({"versions": [{**row, "sha256": ["x"]}]}))
    with pytest.raises(UsageError, match=r"versions\[0\]\.sha256: expected hashes"):
        yanked_step.run(argparse.Namespace(request=request))
