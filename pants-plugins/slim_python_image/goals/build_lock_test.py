from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any, Awaitable, Iterable

import pytest
from pants.engine.addresses import Address
from pants.engine.fs import EMPTY_DIGEST
from pants.engine.target import AllTargets, Target
from pants.testutil.option_util import create_subsystem
from pants.util.frozendict import FrozenDict

from slim_python_image import engine
from slim_python_image.base_target import DebianPythonBaseTarget
from slim_python_image.bases import BuilderGroup, DebianBase, DebPackages, Interpreter
from slim_python_image.goals import build_lock as lock
from slim_python_image.products import Artifact, SlimImageError, TargetEnvironment
from slim_python_image.subsystems.options import SlimImageOptions
from slim_python_image.util_rules import build_requirements
from slim_python_image.util_rules.build_requirements import SdistLock, SdistLockRequest
from slim_python_image.util_rules.steps import ResolverToolbox, StepOutcome, Toolbox
from slim_python_image.util_rules.subjects import Subject, SubjectAttempt, SubjectRequest
from slim_python_image.util_rules.wheels import without_group
from slim_python_image.wheel_set_target import PythonWheelSetTarget
from tests.support.rules import answer


def base(folder: str, name: str) -> Target:
    return DebianPythonBaseTarget({"suites": ["bookworm"]}, Address(folder, target_name=name))


def wheel_set(name: str = "wheels") -> Target:
    return PythonWheelSetTarget({"base": ":b"}, Address("src", target_name=name))


def python_setup(**resolves: str) -> Any:
    return SimpleNamespace(enable_resolves=True, resolves=resolves)


def attempts(monkeypatch: pytest.MonkeyPatch, found: dict[Address, SubjectAttempt]) -> None:
    async def attempt(request: SubjectRequest, **_: object) -> SubjectAttempt:
        return found[request.address]

    async def at_once(calls: Iterable[Awaitable[Any]]) -> tuple[Any, ...]:
        return tuple([await one for one in calls])

    monkeypatch.setattr(lock, "attempt_subject", attempt)
    monkeypatch.setattr(lock, "concurrently", at_once)


def subject(address: Address, resolve: str) -> SubjectAttempt:
    made = Subject(address, Address("b"), ("linux/amd64",), (), resolve, f"{resolve}.lock", (), ())
    return SubjectAttempt(made)


WHEELS = Address("src", target_name="wheels")


def test_a_resolve_that_is_taken_has_a_build_lock_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    setup = python_setup(main="3rdparty/main.lock", tools="tools.lock")
    known = answer(lock.known_build_locks, lock.KnownBuildLockNamesRequest(), setup)
    assert known.names == ("main-build", "tools-build")
    requested = lock.RequestedBuildLockNames(["main-build", "tools-build"])
    attempts(monkeypatch, {WHEELS: subject(WHEELS, "main")})
    (request,) = answer(lock.build_lock_requests, requested, AllTargets([wheel_set()]), setup)
    assert request.lockfile_dest == "3rdparty/main.build.lock"
    assert request.python_resolve == "main"
    assert request.subjects == (WHEELS,)


def test_a_broken_target_stops_no_lock_of_others(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    requested = lock.RequestedBuildLockNames(["main-build"])
    targets = AllTargets([wheel_set("one"), wheel_set("two")])
    one, two = (target.address for target in targets)
    attempts(monkeypatch, {one: SubjectAttempt(error="no such base"), two: subject(two, "main")})
    (request,) = answer(lock.build_lock_requests, requested, targets, python_setup(main="main.lock"))
    assert request.subjects == (two,)
    assert caplog.messages == [f"Nothing is locked for {one}: no such base"]


def test_a_resolve_that_nothing_takes_is_no_error(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    requested = lock.RequestedBuildLockNames(["pytest-build"])
    attempts(monkeypatch, {})
    made = answer(
        lock.build_lock_requests, requested, AllTargets([base("a", "one")]), python_setup(pytest="p.lock")
    )
    assert list(made) == []
    assert caplog.messages == ["pytest-build: no image and no wheel set is of the resolve pytest."]


def need(platform: str, python: str) -> lock.PlanNeed:
    target = TargetEnvironment(platform, python, "glibc", "2.36")
    interpreter = Interpreter("b", TargetEnvironment("linux/amd64", python, "glibc", "2.36"), None)
    made = DebianBase("b", target, interpreter, (), ())
    return lock.PlanNeed(SimpleNamespace(), made)  # type: ignore[arg-type]


def builds(**settings: object) -> SlimImageOptions:
    options: SlimImageOptions = create_subsystem(SlimImageOptions, builds=settings)
    return options


NETIFACES = Artifact("netifaces", "0.11.0", "sdist", "netifaces-0.11.0.tar.gz", "a" * 64)
UJSON = Artifact("ujson", "5.0", "sdist", "ujson-5.0.tar.gz", "b" * 64)
IDNA = Artifact("idna", "3.10", "wheel", "idna-3.10-py3-none-any.whl", "c" * 64)


def test_each_sdist_is_asked_once_per_minor_version_on_the_first_platform_that_compiles_it() -> None:
    needs = [need("linux/arm64", "3.11.2"), need("linux/amd64", "3.11.2"), need("linux/amd64", "3.13.5")]
    found = lock.sdists_to_lock(needs, [[NETIFACES, IDNA], [UJSON, NETIFACES], [NETIFACES]])
    assert {key: one.base.target.platform for key, one in found.items()} == {
        ("3.11", NETIFACES): "linux/amd64",
        ("3.13", NETIFACES): "linux/amd64",
        ("3.11", UJSON): "linux/amd64",
    }
    alone = lock.sdists_to_lock(needs[:1], [[NETIFACES]])
    assert [one.base.target.platform for one in alone.values()] == ["linux/arm64"]


def request_of(
    options: SlimImageOptions, where: lock.PlanNeed, before: bytes | None = None
) -> SdistLockRequest:
    return lock.lock_request(
        NETIFACES,
        where,
        options,
        before=before,
        resolve="main",
        platforms=["linux/amd64", "linux/arm/v7", "linux/amd64"],
        place="1 of 1",
    )


def test_a_backend_is_asked_as_its_build_would_run_it() -> None:
    options = builds(
        NetIfaces={
            "env": {"A": "1"},
            "config_settings": {"x": "y"},
            "constraints": ["setuptools<81"],
            "emulate": ["linux/arm/v7"],
        }
    )
    row = {"sdist": "netifaces==0.11.0", "python": "3.11", "sha256": "f" * 64, "pins": ["setuptools==80.0"]}
    before = json.dumps({"environments": [row, {"sdist": 7}, "x"]}).encode()
    found = request_of(options, need("linux/amd64", "3.11.2"), before)
    settings = json.loads(found.build.settings)
    assert (settings["env"], settings["config_settings"]) == ({"A": "1"}, {"x": "y"})
    assert found.constraints == ("setuptools<81",)
    assert found.before == ("setuptools==80.0",)
    assert found.emulated == ("linux/arm/v7",)
    assert request_of(options, need("linux/amd64", "3.13.5"), before).before == ()
    assert request_of(options, need("linux/amd64", "3.11.2"), b"<<<<<<< HEAD").before == ()


def test_builder_packages_that_are_locked_by_the_same_command_are_not_waited_for() -> None:
    options = builds(netifaces={"builder_packages": ["libx-dev"]})
    here = need("linux/amd64", "3.11.2")
    assert request_of(options, here).build.builder == DebPackages((), "b")
    assert without_group(here.base, "ujson", options) is here.base
    changed = without_group(here.base, "netifaces", options)
    assert isinstance(changed, DebianBase)
    assert changed.builder_groups == FrozenDict({"netifaces": BuilderGroup(("libx-dev",), ())})


@pytest.mark.parametrize("wrong", ["setuptools<81", [7]])
def test_constraints_that_are_none(wrong: object) -> None:
    options = builds(netifaces={"constraints": wrong})
    found = lock.attempted(
        NETIFACES,
        need("linux/amd64", "3.11.2"),
        options,
        before=None,
        resolve="main",
        platforms=[],
        place="1 of 1",
    )
    assert isinstance(found, SdistLock)
    assert found.error is not None
    assert found.error.startswith(f"[slim-image].builds: `constraints` of netifaces is {wrong!r}\n  -> write")


def locked(artifact: Artifact, pins: dict[str, list[str]], **crates: str) -> SdistLock:
    key = f"{artifact.name}=={artifact.version}"
    row = {"sdist": key, "sha256": artifact.sha256, "python": "3.11", "pins": sorted(pins)}
    files = {pin: [{"filename": name, "sha256": "d" * 64} for name in names] for pin, names in pins.items()}
    made = {name.replace("_", " "): sha256 for name, sha256 in crates.items()}
    rows = [{**row, "crates": sorted(made)}]
    return SdistLock(json.dumps({"environments": rows, "files": files, "crates": made}))


def test_the_whole_lock_is_what_all_sdists_have_together() -> None:
    found = {
        ("3.11", NETIFACES): locked(
            NETIFACES, {"wheel==1": ["wheel-1-cp311.whl", "wheel-1-any.whl"]}, a_1="e" * 64
        ),
        ("3.13", NETIFACES): locked(NETIFACES, {"wheel==1": ["wheel-1-cp313.whl", "wheel-1-any.whl"]}),
        ("3.11", UJSON): SdistLock(error="it explodes"),
    }
    document = lock.composed(found)
    assert [row["filename"] for row in document["files"]["wheel==1"]] == [
        "wheel-1-any.whl",
        "wheel-1-cp311.whl",
        "wheel-1-cp313.whl",
    ]
    assert document["crates"] == {"a 1": "e" * 64}
    assert document["failed"] == ["ujson==5.0"]
    assert document["minors"] == document["pythons"] == ["3.11", "3.13"]


def test_two_sdists_that_lock_one_crate_by_two_checksums() -> None:
    found = {
        ("3.11", NETIFACES): locked(NETIFACES, {}, serde_1="e" * 64),
        ("3.11", UJSON): locked(UJSON, {}, serde_1="f" * 64),
    }
    with pytest.raises(
        SlimImageError, match=r"ujson==5\.0: its Cargo\.lock has another checksum of the crate serde 1"
    ):
        lock.composed(found)


def test_all_that_could_not_be_locked_is_told_together() -> None:
    fine = SdistLock("{}")
    assert lock.failure_report([fine]) is None
    found = [fine, SdistLock(error="a==1: no"), SdistLock(error="b==2: neither\n  -> try")]
    assert lock.failure_report(found) == (
        "what the build of 2 of 3 sdists requires could not be locked:\n\na==1: no\n\nb==2: neither\n  -> try"
    )


class Backends:
    """Answers of steps, in turn, and what was asked."""

    def __init__(self, *answers: dict[str, Any] | str) -> None:
        self.answers = list(answers)
        self.asked: list[Any] = []

    async def hook_step(self, hook: Any, build: Any, *_: object) -> Any:
        return (hook.description, [f"{a.name}=={a.version}" for a in build.pins])

    async def run_step(self, request: Any, **_: object) -> StepOutcome:
        self.asked.append(request if isinstance(request, tuple) else request.description)
        answered = self.answers.pop(0)
        if isinstance(answered, str):
            return StepOutcome("{}", EMPTY_DIGEST, answered)
        return StepOutcome(json.dumps(answered), EMPTY_DIGEST)


def requires(*missing: str, failed: str | None = None, tail: Iterable[str] = ()) -> dict[str, Any]:
    crates = [{"name": "serde", "version": "1.0", "sha256": "e" * 64}]
    return {
        "missing": list(missing),
        "failed": failed,
        "tail": list(tail),
        "isolation": "root",
        "crates": crates,
    }


def resolved(*names: str) -> dict[str, Any]:
    pins = [f"{name}==1" for name in names]
    files = {f"{n}==1": [{"filename": f"{n}-1-py3-none-any.whl", "sha256": "d" * 64}] for n in names}
    wheels = [{"name": n, "version": "1", **files[f"{n}==1"][0]} for n in names]
    return {"pins": pins, "files": files, "wheels": wheels}


def asked(monkeypatch: pytest.MonkeyPatch, *answers: dict[str, Any] | str) -> tuple[SdistLock, list[Any]]:
    backends = Backends(*answers)
    monkeypatch.setattr(build_requirements, "hook_step", backends.hook_step)
    monkeypatch.setattr(build_requirements, "run_step", backends.run_step)

    async def created(_files: object) -> Any:
        return EMPTY_DIGEST

    async def tree(_interpreter: object) -> None:
        return None

    monkeypatch.setattr(engine, "create_files", created)
    monkeypatch.setattr(build_requirements, "interpreter_tree", tree)
    toolbox = Toolbox(EMPTY_DIGEST)
    options = builds()
    request = request_of(options, need("linux/amd64", "3.11.2"))
    made = answer(build_requirements.lock_sdist, request, toolbox, ResolverToolbox(toolbox), options)
    assert isinstance(made, SdistLock)
    return made, backends.asked


ASK, RESOLVE = (
    "1 of 1: ask netifaces 0.11.0 what its build requires",
    ("1 of 1: resolve what the build of netifaces 0.11.0 requires"),
)


def test_a_backend_is_asked_until_nothing_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    made, steps = asked(
        monkeypatch,
        requires("setuptools"),
        resolved("setuptools"),
        requires("cython>=3"),
        resolved("cython", "setuptools"),
        requires(),
    )
    assert steps == [
        (ASK, []),
        RESOLVE,
        (ASK, ["setuptools==1"]),
        RESOLVE,
        (ASK, ["cython==1", "setuptools==1"]),
    ]
    document = json.loads(made.document)
    assert document["environments"] == [
        {
            "sdist": "netifaces==0.11.0",
            "sha256": "a" * 64,
            "python": "3.11",
            "pins": ["cython==1", "setuptools==1"],
            "crates": ["serde 1.0"],
        }
    ]
    assert document["crates"] == {"serde 1.0": "e" * 64}
    assert (made.warning, made.error) == (None, None)


def test_a_backend_that_cannot_say_is_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    dead = requires(
        failed="Exception: Can not find valid pkg-config name.", tail=["Traceback", "  ...", "Exception: x"]
    )
    made, _ = asked(monkeypatch, requires("setuptools"), resolved("setuptools"), dead)
    assert json.loads(made.document)["environments"][0]["pins"] == ["setuptools==1"]
    assert made.warning == (
        "netifaces==0.11.0: its build backend cannot say what it requires (Exception: Can not find valid pkg-config "
        "name.), so what its pyproject.toml requires is locked. The end of what it said:\n"
        "  Traceback\n    ...\n  Exception: x\n"
        "  -> it was asked as a build would run it: what it misses here, its build misses too. An old sdist may "
        "want old tools: [slim-image].builds: `constraints` of netifaces"
    )


def test_requirements_that_never_settle(monkeypatch: pytest.MonkeyPatch) -> None:
    made, _ = asked(monkeypatch, requires("a"), resolved("a"), requires("a"))
    assert made.error == (
        "netifaces==0.11.0: its build requirements never settle: a\n"
        "  -> bound them: [slim-image].builds: `constraints` of netifaces"
    )


def test_an_error_is_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    made, _ = asked(monkeypatch, requires("a"), "no such project")
    assert (made.error, made.document) == ("no such project", "")
