"""Several versions looked up together: what each of them gets, what is asked again, and what fails."""

from __future__ import annotations

import argparse
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from ociwheel_testing.simple_index import Answer, Offered, SimpleIndex, sha256

from ociwheel import schemas
from ociwheel.errors import FetchError, UsageError
from ociwheel.fetch import describe_step
from ociwheel.fetch.describe import Locked, NobodyHasItError
from ociwheel.fetch.describe_all import describe_all
from ociwheel.fetch.index import IndexClient
from ociwheel.fetch.kept import SMALL, VARIABLE, Kept
from ociwheel.transport.network import Network
from ociwheel.transport.settings import NetworkSettings
from tests.support.values import value_of

NAMES = tuple("abcdefg")
FORM = '{"requires_python": null, "requires_dist": [], "artifact": %s, "files": [%s]}'


def wheel(name: str, requires: str = "x") -> Offered:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        text = f"Metadata-Version: 2.1\nName: {name}\nRequires-Dist: {requires}\n"
        # Without a time, so that the same wheel is made whenever it is asked for.
        archive.writestr(zipfile.ZipInfo(f"{name}-1.0.dist-info/METADATA"), text)
    return Offered(f"{name}-1.0-py3-none-any.whl", buffer.getvalue())


def index_of(*names: str) -> SimpleIndex:
    return SimpleIndex({name: [wheel(name, f"needed-by-{name}")] for name in names})


def client_of(*indexes: SimpleIndex) -> IndexClient:
    machine = NetworkSettings(indexes=tuple(one.url for one in indexes), timeout=5)
    return IndexClient(machine, Network(machine, sleep=lambda _seconds: None))


def locked(*names: str) -> list[Locked]:
    return [Locked(name, "1.0", frozenset({sha256(wheel(name, f"needed-by-{name}").data)})) for name in names]


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_each_has_an_answer_and_a_file_of_its_own(tmp_path: Path) -> None:
    with index_of(*NAMES) as index:
        found = describe_all(client_of(index), locked(*NAMES), tmp_path, Kept(None))
    requires = [one["requires_dist"] for one in found if one]
    assert requires == [[f"needed-by-{name}"] for name in NAMES]
    assert files(tmp_path) == {
        f"{number}/{name}-1.0-py3-none-any.whl": wheel(name, f"needed-by-{name}").data
        for number, name in enumerate(NAMES)
    }


def test_what_is_known_is_not_asked_again_and_nothing_differs(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "kept", "code")
    with index_of(*NAMES) as index:
        before = describe_all(client_of(index), locked(*NAMES[:-1]), tmp_path / "1", kept)
        index.requests.clear()
        after = describe_all(client_of(index), locked(*NAMES), tmp_path / "2", kept)
        assert index.paths() == ["/simple/g/", "/files/g-1.0-py3-none-any.whl"]
        without = describe_all(client_of(index), locked(*NAMES), tmp_path / "3", Kept(None))
    assert after[:-1] == before
    assert after == without
    assert files(tmp_path / "2") == files(tmp_path / "3")


@pytest.mark.parametrize("lost", ["answer", "file"])
def test_what_is_lost_is_asked_again(tmp_path: Path, lost: str) -> None:
    kept = Kept(tmp_path / "kept", "code")
    with index_of("a") as index:
        before = describe_all(client_of(index), locked("a"), tmp_path / "1", kept)
        for path in (tmp_path / "kept").glob(f"{lost}-*"):
            path.write_bytes(path.read_bytes()[:-1])
        assert describe_all(client_of(index), locked("a"), tmp_path / "2", kept) == before
    assert files(tmp_path / "1") == files(tmp_path / "2")


@pytest.mark.parametrize("answer", ["[]", "{}", FORM % ("1", ""), FORM % ('"../x.whl"', "{}")])
def test_a_kept_answer_of_another_form_is_none(tmp_path: Path, answer: str, monkeypatch: Any) -> None:
    kept = Kept(tmp_path / "kept", "code")
    monkeypatch.setattr(Kept, "answer", lambda _self, _question: json.loads(answer))
    with index_of("a") as index:
        (found,) = describe_all(client_of(index), locked("a"), tmp_path / "1", kept)
    assert found is not None
    assert found["artifact"] == "a-1.0-py3-none-any.whl"


def test_other_indexes_are_asked_anew(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "kept", "code")
    with index_of("a") as index, index_of("a") as other:
        describe_all(client_of(index), locked("a"), tmp_path / "1", kept)
        describe_all(client_of(other), locked("a"), tmp_path / "2", kept)
        assert other.paths()


def test_an_answer_that_lacks_files_is_not_kept(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "kept", "code")
    partly = [Locked("a", "1.0", locked("a")[0].hashes | {"0" * 64})]
    with index_of("a") as index:
        (found,) = describe_all(client_of(index), partly, tmp_path / "1", kept)
        assert found is not None
        assert found["notes"] == ["a 1.0: 1 of 2 locked files are on no index"]
        index.requests.clear()
        describe_all(client_of(index), partly, tmp_path / "2", kept)
        assert index.paths()


def test_what_lies_on_this_machine_is_not_kept_twice(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "kept", "code")
    one = wheel("a", "needed-by-a")
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / one.filename).write_bytes(one.data)
    client = IndexClient(NetworkSettings(find_links=(str(tmp_path / "links"),)))
    assert describe_all(client, locked("a"), tmp_path / "1", kept)[0] is not None
    assert not (tmp_path / "kept").exists()


def test_a_version_that_nobody_has_is_left_out_and_stops_no_other(tmp_path: Path) -> None:
    with index_of("a", "c") as index:
        found = describe_all(client_of(index), locked("a", "b", "c"), tmp_path, Kept(None))
        assert [one is not None for one in found] == [True, False, True]
        with pytest.raises(NobodyHasItError, match=r"^b 1\.0: no index has a file"):
            describe_all(client_of(index), locked("b"), tmp_path, Kept(None))


@pytest.mark.parametrize("status", [401, 503])
def test_a_place_that_does_not_answer_fails_all_and_what_was_told_is_kept(
    tmp_path: Path, status: int
) -> None:
    kept = Kept(tmp_path / "kept", "code")
    with index_of("a", "b") as index:
        index.script["/simple/b/"] = [Answer(status)] * 5
        with pytest.raises(FetchError, match=r"^b 1\.0: no index has a file") as caught:
            describe_all(client_of(index), locked("a", "b"), tmp_path / "1", kept)
        assert not isinstance(caught.value, NobodyHasItError)
        index.script.clear()
        index.requests.clear()
        found = describe_all(client_of(index), locked("a", "b"), tmp_path / "2", kept)
        assert "/simple/a/" not in index.paths()
    assert None not in found


def run(folder: Path, lines: list[dict[str, Any]]) -> dict[str, Any]:
    request = folder / "request.json"
    request.write_text(json.dumps({"lines": lines}))
    return describe_step.run(argparse.Namespace(request=request, output=folder / "out"))


def test_the_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    large = Offered("b-1.0-py3-none-any.whl", bytes(SMALL + 1), metadata=b"Metadata-Version: 2.1\n")
    with SimpleIndex({"a-a": [wheel("a_a")], "b": [large]}) as index:
        monkeypatch.setenv("PIP_INDEX_URL", index.url)
        monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
        monkeypatch.setenv(VARIABLE, f"{tmp_path}/kept/code")
        lines = [
            {"name": "A_a", "version": "1.0", "sha256": [sha256(wheel("a_a").data), "0" * 64]},
            {"name": "none", "version": "1.0", "sha256": ["0" * 64]},
            {"name": "b", "version": "1.0", "sha256": [sha256(large.data)]},
        ]
        answer = run(tmp_path, lines)
    assert schemas.check(value_of(answer), "describe").raw == answer
    assert [(one["line"], one["name"], one["artifact"]) for one in answer["answers"]] == [
        (0, "a-a", "a_a-1.0-py3-none-any.whl"),
        (2, "b", None),
    ]
    (note,) = answer["answers"][0]["notes"]
    assert capsys.readouterr().err == f"note: {note}\n"
    assert list(files(tmp_path / "out")) == ["0/a_a-1.0-py3-none-any.whl"]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "lines: it names no version"),
        ([{"name": "a", "version": "1", "sha256": []}], r"lines\[0\]\.sha256: is empty"),
        ([{"name": "a", "version": "1", "sha256": ["x"]}], r"lines\[0\]\.sha256\[0\]: expected a SHA-256"),
        ([{"name": "a", "version": "1", "sha256": ["0" * 64], "x": 1}], "unknown keys: x"),
        ([{"name": "", "version": "1", "sha256": ["0" * 64]}], r"lines\[0\]\.name: is empty"),
    ],
)
def test_requests_that_make_no_sense(tmp_path: Path, lines: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        run(tmp_path, lines)
