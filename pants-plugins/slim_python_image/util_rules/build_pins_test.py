from __future__ import annotations

import json
from typing import Any

import pytest
from pants.engine.fs import EMPTY_DIGEST
from pants.util.frozendict import FrozenDict

from slim_python_image.products import Artifact, TargetEnvironment
from slim_python_image.util_rules import build_pins
from slim_python_image.util_rules.build_pins import (
    BuildPins,
    BuildPinsRequest,
    SdistPins,
    SdistPinsRequest,
    choose_sdist_pins,
    part_of,
)
from slim_python_image.util_rules.steps import StepOutcome, Toolbox
from tests.support.rules import answer

TARGET = TargetEnvironment("linux/amd64", "3.11.2", "glibc", "2.36")
DEMO = Artifact("demo", "1", "sdist", "demo-1.tar.gz", "a" * 64)
OTHER = Artifact("other", "2", "sdist", "other-2.tar.gz", "b" * 64)


def wheel(name: str) -> dict[str, str]:
    return {"filename": f"{name}-1-py3-none-any.whl", "sha256": "c" * 64}


def row(sdist: Artifact, *pins: str, python: str = "3.11", **more: Any) -> dict[str, Any]:
    key = f"{sdist.name}=={sdist.version}"
    return {"sdist": key, "sha256": sdist.sha256, "python": python, "pins": list(pins), **more}


LOCK = {
    "schema": "ociwheel.build-lock/1",
    "environments": [
        row(DEMO, "wheel==1", crates=["serde 1.0"]),
        row(DEMO, "flit==1", python="3.12"),
        row(OTHER, "hatch==1", crates=["libc 2.0"]),
    ],
    "files": {f"{name}==1": [wheel(name)] for name in ("flit", "hatch", "wheel")},
    "crates": {"serde 1.0": "d" * 64, "libc 2.0": "e" * 64},
}


def test_of_a_build_lock_only_what_is_an_sdist_s_is_in_its_key() -> None:
    part = part_of(json.dumps(LOCK).encode(), DEMO, "3.11")
    assert part is not None
    assert json.loads(part) == {
        "schema": "ociwheel.build-lock/1",
        "environments": [row(DEMO, "wheel==1", crates=["serde 1.0"])],
        "files": {"wheel==1": [wheel("wheel")]},
        "crates": {"serde 1.0": "d" * 64},
    }
    edited = {**LOCK, "environments": [*LOCK["environments"][:2], row(OTHER, "flit==1")]}  # type: ignore[index]
    assert part_of(json.dumps(edited, indent=3).encode(), DEMO, "3.11") == part


@pytest.mark.parametrize(
    "lock",
    [
        None,
        b"",
        b"no json",
        b"[]",
        b"7",
        b'{"environments": 7}',
        b'{"environments": [7]}',
        json.dumps({**LOCK, "environments": [row(OTHER, "hatch==1")]}).encode(),
        json.dumps({**LOCK, "environments": [{**row(DEMO, "wheel==1"), "sha256": "f" * 64}]}).encode(),
        json.dumps({**LOCK, "environments": [{**row(DEMO), "pins": [["a"]]}]}).encode(),
        json.dumps({**LOCK, "files": 7}).encode(),
    ],
)
def test_a_lock_without_the_sdist_has_no_part_of_it(lock: bytes | None) -> None:
    assert part_of(lock, DEMO, "3.11") is None


class Engine:
    """A repository with one lock, and a core that answers."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, lock: bytes | None, outcome: StepOutcome) -> None:
        self.lock, self.outcome = lock, outcome
        self.asked: list[Any] = []
        monkeypatch.setattr(build_pins, "engine", self)
        monkeypatch.setattr(build_pins, "run_step", self.run_step)

    async def read_path(self, path: str) -> bytes | None:
        assert path == "3rdparty/default.build.lock"
        return self.lock

    async def create_files(self, files: dict[str, bytes]) -> dict[str, bytes]:
        return files

    async def run_step(self, request: Any, **_: object) -> StepOutcome:
        self.asked.append(request)
        return self.outcome


def chosen() -> SdistPins:
    request = SdistPinsRequest(DEMO, "default", "3rdparty/default.lock", TARGET)
    found = answer(choose_sdist_pins, request, Toolbox(EMPTY_DIGEST))
    assert isinstance(found, SdistPins)
    return found


def test_the_requirements_of_one_sdist_are_chosen_of_its_part(monkeypatch: pytest.MonkeyPatch) -> None:
    wheels = [{"name": "wheel", "version": "1", **wheel("wheel")}]
    document = {"sdists": [{"sdist": "demo==1", "wheels": wheels, "crates": []}]}
    engine = Engine(monkeypatch, json.dumps(LOCK).encode(), StepOutcome(json.dumps(document), EMPTY_DIGEST))
    pins = chosen().pins
    assert pins is not None
    assert pins.of(DEMO) == (Artifact("wheel", "1", "wheel", "wheel-1-py3-none-any.whl", "c" * 64),)
    (step,) = engine.asked
    assert step.description == "Choose build requirements of demo 1"
    assert step.inputs["3rdparty/default.build.lock"] == part_of(engine.lock, DEMO, "3.11")
    assert json.loads(step.inputs["request.json"]) == {
        "sdists": [{"name": "demo", "version": "1", "sha256": "a" * 64}]
    }


def test_nothing_runs_for_an_sdist_that_the_lock_has_not(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine(monkeypatch, None, StepOutcome("{}", EMPTY_DIGEST))
    assert chosen() == SdistPins(None)
    assert engine.asked == []


def test_what_is_wrong_with_one_sdist_is_for_all_together(monkeypatch: pytest.MonkeyPatch) -> None:
    Engine(monkeypatch, json.dumps(LOCK).encode(), StepOutcome("{}", EMPTY_DIGEST, "no wheel fits"))
    assert chosen() == SdistPins(None)


def run(monkeypatch: pytest.MonkeyPatch, *found: SdistPins) -> tuple[Any, list[Any]]:
    """Ask for the pins of two sdists; return the answer, and what was asked."""
    asked: list[Any] = []
    joint = BuildPins()

    def one(request: Any, **_: object) -> Any:
        asked.append(request)
        return request

    async def together(requests: Any) -> Any:
        assert [request.sdist for request in requests] == [DEMO, OTHER]
        return found

    async def all_of(request: Any, **_: object) -> BuildPins:
        asked.append(request)
        return joint

    monkeypatch.setattr(build_pins, "choose_sdist_pins", one)
    monkeypatch.setattr(build_pins, "concurrently", together)
    monkeypatch.setattr(build_pins, "choose_build_pins", all_of)
    coroutine = build_pins.build_pins(BuildPinsRequest((DEMO, OTHER), "default", "default.lock", TARGET))
    with pytest.raises(StopIteration) as ended:
        coroutine.send(None)
    return ended.value.value, asked


def pins(sdist: Artifact) -> SdistPins:
    key = f"{sdist.name}=={sdist.version}"
    return SdistPins(BuildPins(FrozenDict({key: ()}), FrozenDict({key: ()})))


def test_images_share_what_they_ask_of_an_sdist(monkeypatch: pytest.MonkeyPatch) -> None:
    found, asked = run(monkeypatch, pins(DEMO), pins(OTHER))
    assert (found.of(DEMO), found.crates_of(OTHER)) == ((), ())
    assert [type(one) for one in asked] == [SdistPinsRequest] * 2


def test_all_that_is_wrong_is_told_by_one_step(monkeypatch: pytest.MonkeyPatch) -> None:
    found, asked = run(monkeypatch, pins(DEMO), SdistPins(None))
    assert found == BuildPins()
    assert asked[-1] == BuildPinsRequest((DEMO, OTHER), "default", "default.lock", TARGET)
