"""The backend's rules in Pants's own engine, up to the processes that they ask for."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Callable, Iterable, cast

import pytest
from pants.backend.python import target_types_rules
from pants.backend.python.register import rules as python_rules
from pants.backend.python.register import target_types as python_target_types
from pants.backend.visibility.rules import rules as visibility_rules
from pants.core.goals.generate_lockfiles import KnownUserResolveNames, UserGenerateLockfiles
from pants.core.register import rules as core_rules
from pants.core.register import target_types as core_target_types
from pants.engine.addresses import Address, Addresses
from pants.engine.fs import CreateDigest, Digest, FileContent, SymlinkEntry
from pants.engine.internals.graph import Owners, OwnersRequest
from pants.engine.internals.scheduler import ExecutionError
from pants.engine.rules import QueryRule
from pants.engine.target import Dependencies, DependenciesRequest
from pants.testutil.rule_runner import RuleRunner
from pants.util.frozendict import FrozenDict

from slim_python_image import register
from slim_python_image.bases import BaseRequest, DebianBase, PlatformBase
from slim_python_image.goals.build_lock import KnownBuildLockNamesRequest
from slim_python_image.goals.lock import KnownBaseNamesRequest, RequestedBaseNames
from slim_python_image.products import StepInputs, Tree
from slim_python_image.util_rules.core import CoreSources
from slim_python_image.util_rules.image_content import ImageContent, ImageContentRequest
from slim_python_image.util_rules.image_definition import ImageDefinition, ImageDefinitionRequest
from slim_python_image.util_rules.image_key import ImageKey, ImageKeyRequest
from slim_python_image.util_rules.start import module_candidates
from slim_python_image.util_rules.steps import StepOutcome, StepRequest, Toolbox

LOCK = {
    "schema": "ociwheel.debian-lock/1",
    "inputs": {
        "suites": ["bookworm"],
        "components": ["main"],
        "packages": ["tzdata"],
        "builder_packages": [],
        "platforms": ["linux/amd64"],
    },
    "python": "3.11",
    "platforms": {
        "linux/amd64": {
            "target": {
                "platform": "linux/amd64",
                "python": "3.11.2",
                "libc": "glibc",
                "libc_version": "2.36",
            },
            "layers": [{"title": "data", "bytecode": False, "packages": ["tzdata=1:all"]}],
            "builder": [],
            "image_packages": {"tini": ["tini=1:amd64"], "curl, tini": ["tini=1:amd64", "curl=1:amd64"]},
        }
    },
    "interpreters": {"linux/amd64": [], "linux/arm64": []},
    "packages": {
        "tzdata=1:all": {
            "name": "tzdata",
            "version": "1",
            "architecture": "all",
            "archive": "debian",
            "path": "pool/main/t/tzdata/tzdata_1_all.deb",
            "size": 7,
            "sha256": "0" * 64,
        },
        **{
            f"{name}=1:amd64": {
                "name": name,
                "version": "1",
                "architecture": "amd64",
                "archive": "debian",
                "path": f"pool/main/{name}_1_amd64.deb",
                "size": 7,
                "sha256": "1" * 64,
            }
            for name in ("curl", "tini")
        },
    },
}
FILES = {
    "3rdparty/debian/BUILD": 'debian_python_base(name="base", suites=["bookworm"], packages=["tzdata"])',
    "3rdparty/debian/base.lock": json.dumps(LOCK),
    "3rdparty/BUILD": 'python_requirement(name="idna", requirements=["idna>=3"])',
    "3rdparty/default.lock": "",
    "3rdparty/python-default.build.lock": "{}",
    "src/shop/shop/__init__.py": "",
    "src/shop/shop/__main__.py": "import idna\n",
    "src/shop/shop/page.html": "<p>",
    "src/shop/config/limits.json": "{}",
    "src/shop/etc/shop.ini": "",
    "src/shop/more/db.py": "",
    "src/shop/more/run-it.py": "",
    "src/shop/start.sh": "#!/bin/sh\n",
    "src/shop/stray.py": "",
    "src/shop/top.py": "",
    "src/shop/BUILD": """
python_sources(name="lib", sources=["shop/*.py"], dependencies=[":page", ":config"])
resources(name="page", sources=["shop/*.html"])
files(name="config", sources=["config/*.json"])
python_sources(name="more", sources=["more/*.py"])
python_sources(name="top", sources=["top.py"])
slim_python_image(name="at-root", entry_point="top.py:main", base="//3rdparty/debian:base")
files(name="etc", sources=["etc/*.ini"])
archive(name="zip", format="zip", files=[":config"])
slim_python_image(name="by-file", entry_point="shop/__main__.py:run", base="//3rdparty/debian:base",
    entry_points={"migrate": "more.db:migrate"}, start_script="start.sh", resolve="python-default",
    files_at={"/etc/shop": [":etc", "mode=0640", "owner=nonroot"]}, extra_env_vars=["STAGE=test"],
    healthcheck=["python", "-m", "more.db"], healthcheck_options={"interval": "30s", "retries": "3"})
slim_python_image(name="executable", executable="more/run-it.py", base="//3rdparty/debian:base")
slim_python_image(name="no-file", entry_point="gone.py", base="//3rdparty/debian:base")
slim_python_image(name="no-owner", entry_point="stray.py", base="//3rdparty/debian:base")
slim_python_image(name="no-resolve", entry_point="shop", resolve="nope", base="//3rdparty/debian:base")
slim_python_image(name="no-variable", entry_point="shop", extra_env_vars=["NOT_SET_AT_ALL"], base="//3rdparty/debian:base")
slim_python_image(name="no-start", entry_point="shop", start_script="gone.sh", base="//3rdparty/debian:base")
slim_python_image(name="outside", entry_point="shop", start_script="../../../start.sh", base="//3rdparty/debian:base")
slim_python_image(name="no-files", entry_point="shop", files_at={"/etc": [":lib"]}, base="//3rdparty/debian:base")
slim_python_image(name="same-name", entry_point="more.db:migrate", entry_points={"same-name": "more.db:migrate"},
    base="//3rdparty/debian:base")
slim_python_image(name="odd", entry_point="shop", dependencies=[":zip", ":image"], base="//3rdparty/debian:base")
slim_python_image(name="without", entry_point="shop", dependencies=["!!:config"], base="//3rdparty/debian:base")
slim_python_image(name="image", entry_point="shop", base="//3rdparty/debian:base", env={"A": "1"})
slim_python_image(name="child", script="tool", base="//3rdparty/debian:base", extends=":image", dependencies=[":lib"])
slim_python_image(name="below", entry_point="shop", base="//3rdparty/debian:base", env={"A": "1", "B": "2"}, user="7", workdir="/srv")
slim_python_image(name="on-image", script="tool", base=":below", dependencies=[":lib"], env={"B": "3"})
slim_python_image(name="on-top", script="tool", base=":on-image", dependencies=[":lib"], user="8")
slim_python_image(name="both", script="tool", base=":below", extends=":image", dependencies=[":lib"])
slim_python_image(name="with-tini", entry_point="shop", base="//3rdparty/debian:base", extra_packages=["tini"])
slim_python_image(name="with-curl", entry_point="shop", base=":with-tini", extra_packages=["curl", "tini"])
slim_python_image(name="with-both", entry_point="shop", base="//3rdparty/debian:base", extends=":with-curl")
registry_python_base(name="of-registry", image="python:3.11-slim")
slim_python_image(name="nowhere", entry_point="shop", base=":of-registry", extra_packages=["tini"])
slim_python_image(name="round", script="tool", base=":trip", dependencies=[":lib"])
slim_python_image(name="trip", script="tool", base=":round", dependencies=[":lib"])
""",
}


OPTIONS = (
    "--source-root-patterns=['src/*']",
    "--python-enable-resolves",
    "--python-resolves={'python-default': '3rdparty/default.lock'}",
    "--python-infer-use-rust-parser",
    "--python-interpreter-constraints=['CPython==3.11.*']",
)
ENVIRONMENT = {"PATH", "PYENV_ROOT", "HOME"}
BUILD_LOCK = "_python-default-build_lockfile"


def _pants(collection: Callable[..., Any]) -> Iterable[Any]:
    """Return what an untyped function of Pants collects."""
    return cast("Iterable[Any]", collection())


@pytest.fixture(scope="module")
def engine() -> RuleRunner:
    """Give one engine for all tests: making its rule graph takes seconds."""
    made = RuleRunner(
        rules=[
            *_pants(core_rules),
            *_pants(python_rules),
            *_pants(target_types_rules.rules),
            *_pants(visibility_rules),
            *register.rules(),
            QueryRule(Addresses, [DependenciesRequest]),
            QueryRule(Owners, [OwnersRequest]),
            QueryRule(PlatformBase, [BaseRequest]),
            QueryRule(CoreSources, []),
            QueryRule(Digest, [CreateDigest]),
            QueryRule(ImageDefinition, [ImageDefinitionRequest]),
            QueryRule(ImageContent, [ImageContentRequest]),
            QueryRule(ImageKey, [ImageKeyRequest]),
            QueryRule(StepInputs, [StepRequest]),
            QueryRule(StepOutcome, [StepRequest]),
            QueryRule(KnownUserResolveNames, [KnownBaseNamesRequest]),
            QueryRule(KnownUserResolveNames, [KnownBuildLockNamesRequest]),
            QueryRule(UserGenerateLockfiles, [RequestedBaseNames]),
        ],
        target_types=[
            *_pants(core_target_types),
            *_pants(python_target_types),
            *register.target_types(),
        ],
    )
    made.set_options(OPTIONS, env_inherit=ENVIRONMENT)
    return made


@pytest.fixture
def runner(engine: RuleRunner) -> RuleRunner:
    engine.write_files(FILES)
    return engine


def dependencies(runner: RuleRunner, name: str) -> set[str]:
    target = runner.get_target(Address("src/shop", target_name=name))
    found = runner.request(Addresses, [DependenciesRequest(target[Dependencies])])
    return {str(address) for address in found}


def test_base_parent_and_entry_point_are_dependencies(runner: RuleRunner) -> None:
    assert {"3rdparty/debian:base", "src/shop/shop/__main__.py:../lib"} <= dependencies(runner, "image")
    assert {"3rdparty/debian:base", "src/shop:image", "src/shop:lib"} <= dependencies(runner, "child")


def test_a_base_is_read_from_its_lock(runner: RuleRunner) -> None:
    request = BaseRequest(Address("3rdparty/debian", target_name="base"), "linux/amd64")
    base = runner.request(PlatformBase, [request]).base
    assert isinstance(base, DebianBase)
    assert (base.target.platform, base.target.minor, base.resolve) == ("linux/amd64", "3.11", "base")
    assert [p.filename for group in base.groups for p in group.packages] == ["tzdata_1_all.deb"]


@pytest.mark.parametrize(
    ("more", "locked"), [("", set()), ('"<_lockfiles>", ', {BUILD_LOCK}), ('"?<_lockfiles>", ', set())]
)
def test_visibility_rules_that_forbid_a_build_lock_stop_no_image(
    runner: RuleRunner, more: str, locked: set[str]
) -> None:
    image = 'slim_python_image(name="image", script="idna", base="//3rdparty/debian:base")'
    rules = f'__dependencies_rules__(("*", "<debian_python_base>", {more}"!*"))'
    runner.write_files({"src/private/BUILD": f"{rules}\n{image}"})
    target = runner.get_target(Address("src/private", target_name="image"))
    found = runner.request(Addresses, [DependenciesRequest(target[Dependencies])])
    assert {one.target_name for one in found} == {"base", *locked}


@pytest.mark.parametrize(
    ("changed", "owner"),
    [
        ("3rdparty/debian/base.lock", "3rdparty/debian:base"),
        ("src/shop/start.sh", "src/shop:by-file"),
        ("3rdparty/python-default.build.lock", f"3rdparty/python-default.build.lock:{BUILD_LOCK}"),
    ],
)
def test_who_changes_a_lock_or_a_start_script_changes_its_target(
    runner: RuleRunner, changed: str, owner: str
) -> None:
    owners = runner.request(Owners, [OwnersRequest((changed,))])
    assert owner in {str(address) for address in owners}


def test_images_and_wheel_sets_depend_on_the_build_lock_of_their_resolve(runner: RuleRunner) -> None:
    assert f"3rdparty:{BUILD_LOCK}" in dependencies(runner, "image")
    two = "--python-resolves={'python-default': '3rdparty/default.lock', 'other': 'locks/other.lock'}"
    runner.set_options([*OPTIONS, two], env_inherit=ENVIRONMENT)
    runner.write_files(
        {
            "src/two/two.py": "",
            "src/two/BUILD": """
python_requirement(name="idna", requirements=["idna"], resolve="other")
python_sources(name="lib", resolve="other")
target(name="group", dependencies=[":idna"])
python_wheel_set(name="wheels", base="//3rdparty/debian:base", dependencies=[":idna", "!:lib"])
slim_python_image(name="code", script="idna", base="//3rdparty/debian:base", dependencies=[":lib"])
slim_python_image(name="said", script="idna", base="//3rdparty/debian:base", resolve="other")
slim_python_image(name="unsaid", script="idna", base="//3rdparty/debian:base")
slim_python_image(name="unknown", script="idna", base="//3rdparty/debian:base", dependencies=[":group"])
""",
        }
    )

    def locks(name: str) -> set[str]:
        target = runner.get_target(Address("src/two", target_name=name))
        found = runner.request(Addresses, [DependenciesRequest(target[Dependencies])])
        return {one.target_name for one in found} & {BUILD_LOCK, "_other-build_lockfile"}

    found = {name: locks(name) for name in ("wheels", "code", "said", "unsaid", "unknown")}
    runner.write_files({"src/two/BUILD": ""})
    runner.set_options(OPTIONS, env_inherit=ENVIRONMENT)
    other = {"_other-build_lockfile"}
    assert found == {
        "wheels": other, "code": other, "said": other, "unsaid": {BUILD_LOCK}, "unknown": {BUILD_LOCK, *other},
    }  # fmt: skip


def failure(runner: RuleRunner, platform: str = "linux/amd64") -> str:
    with pytest.raises(ExecutionError) as e:
        runner.request(PlatformBase, [BaseRequest(Address("3rdparty/debian", target_name="base"), platform)])
    (wrapped,) = list(e.value.wrapped_exceptions)
    return str(wrapped)


def test_a_lock_older_than_the_fields(runner: RuleRunner) -> None:
    newer = FILES["3rdparty/debian/BUILD"].replace('["tzdata"]', '["tzdata", "libpq5"]')
    runner.write_files({"3rdparty/debian/BUILD": newer})
    assert failure(runner).startswith(
        "3rdparty/debian/base.lock: the lock is older than the fields `packages` of 3rdparty/debian:base\n"
        "  -> write it again: "
    )


def test_a_platform_that_the_base_has_not(runner: RuleRunner) -> None:
    assert failure(runner, "linux/arm/v7").startswith(
        "3rdparty/debian:base: the platform linux/arm/v7 is not one of the base 3rdparty/debian:base, which "
        "has linux/amd64\n  -> add it to the field `platforms` of 3rdparty/debian:base, then: "
    )


def parts(runner: RuleRunner, name: str) -> ImageDefinition:
    return runner.request(ImageDefinition, [ImageDefinitionRequest(Address("src/shop", target_name=name))])


def content(runner: RuleRunner, name: str) -> ImageContent:
    return runner.request(ImageContent, [ImageContentRequest(Address("src/shop", target_name=name))])


def paths(runner: RuleRunner, digest: Any) -> list[str]:
    from pants.engine.fs import Snapshot  # noqa: PLC0415

    return sorted(runner.request(Snapshot, [digest]).files)


def test_the_parts_of_an_image(runner: RuleRunner) -> None:
    image = parts(runner, "image")
    assert [root.requirement for root in image.roots] == ["idna>=3"]
    assert (image.resolve, image.lockfile) == ("python-default", "3rdparty/default.lock")
    assert paths(runner, content(runner, "image").sources) == [
        "shop/__init__.py",
        "shop/__main__.py",
        "shop/page.html",
    ]
    assert paths(runner, content(runner, "image").files) == ["src/shop/config/limits.json"]
    assert image.config.entrypoint == ("/app/bin/python", "-P", "-m", "shop")
    assert image.config.env["A"] == "1"
    assert image.platforms == ("linux/amd64",)
    assert image.extends is None


def test_an_image_as_docker_image_and_pex_binary_have_it(runner: RuleRunner) -> None:
    image = parts(runner, "by-file")
    assert image.config.entrypoint == ("/app/bin/start.sh", "/app/bin/by-file")
    assert image.scripts == (("by-file", "shop.__main__:run"), ("migrate", "more.db:migrate"))
    assert image.start == (("module", "shop.__main__"), ("function", "run"))
    assert image.config.env["STAGE"] == "test"
    assert image.config.to_dict()["healthcheck"] == {
        "command": ("python", "-m", "more.db"),
        "interval": 30 * 10**9,
        "retries": 3,
    }
    found = content(runner, "by-file")
    assert found.placed is not None
    assert json.loads(found.placed.places) == [
        {"file": "0", "path": "/etc/shop/etc/shop.ini", "mode": "0640", "owner": "nonroot"},
        {"file": "1", "path": "/app/bin/start.sh", "mode": "0755"},
    ]
    assert paths(runner, found.placed.files) == ["0", "1"]
    assert "src/shop/etc/shop.ini" not in paths(runner, found.files)
    assert {"src/shop/more/db.py:../more", "src/shop:etc"} <= dependencies(runner, "by-file")


def test_the_key_of_an_image_knows_files_at_absolute_places(runner: RuleRunner) -> None:
    def key() -> str:
        return runner.request(ImageKey, [ImageKeyRequest(Address("src/shop", target_name="by-file"))]).key

    build = FILES["src/shop/BUILD"]
    found = [key()]
    for path, text in (
        ("src/shop/etc/shop.ini", "[shop]\n"),
        ("src/shop/start.sh", "#!/bin/sh -e\n"),
        ("src/shop/BUILD", build.replace("mode=0640", "mode=0600")),
    ):
        runner.write_files({path: text})
        found.append(key())
    assert len(set(found)) == len(found)
    runner.write_files({path: FILES[path] for path in FILES if path.startswith("src/shop/")})
    assert key() == found[0]


def test_a_file_in_the_source_root_of_its_own_name(runner: RuleRunner) -> None:
    assert module_candidates("src/shop/shop.py") == ("shop", "shop.shop", "src.shop.shop")
    assert module_candidates("src/shop/__init__.py") == ("shop", "src.shop")
    assert parts(runner, "at-root").scripts == (("at-root", "top:main"),)


def test_a_file_need_not_have_the_name_of_a_module(runner: RuleRunner) -> None:
    image = parts(runner, "executable")
    assert image.config.entrypoint == ("/app/bin/python", "-P", "-m", "more.run-it")
    assert "more/run-it.py" in paths(runner, content(runner, "executable").sources)


def test_what_is_excluded_is_left_out_wherever_it_comes_from(runner: RuleRunner) -> None:
    assert paths(runner, content(runner, "image").files) == ["src/shop/config/limits.json"]
    assert paths(runner, content(runner, "without").files) == []


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "no-file",
            (
                "the field `entry_point` names the file gone.py, and there is no src/shop/gone.py\n"
                "  -> correct the path: it is that from the BUILD file"
            ),
        ),
        (
            "no-owner",
            (
                "the field `entry_point` names the file stray.py, and no `python_source` of the resolve "
                "python-default owns src/shop/stray.py\n"
                "  -> add a `python_sources` target for it"
            ),
        ),
        (
            "no-resolve",
            "the field `resolve` has 'nope'\n  -> name one of `[python].resolves`: python-default",
        ),
        (
            "no-variable",
            (
                "the field `extra_env_vars` has NOT_SET_AT_ALL, which the environment of Pants has not\n"
                "  -> set it, or give a value: NOT_SET_AT_ALL=..."
            ),
        ),
        (
            "no-start",
            (
                "the field `start_script` names src/shop/gone.sh, which is not there\n"
                "  -> correct the path: it is that from the BUILD file"
            ),
        ),
        (
            "outside",
            (
                "the field `start_script` names the file ../../../start.sh, which is outside of the repository\n"
                "  -> correct the path: it is that from the BUILD file"
            ),
        ),
        (
            "no-files",
            (
                "the field `files_at` has no file for /etc\n"
                "  -> name `file`, `files`, `resource` or `resources` targets"
            ),
        ),
        (
            "same-name",
            (
                "the field `entry_points` has 'same-name', the name of the image's own command\n"
                "  -> give one of them another name"
            ),
        ),
        (
            "odd",
            (
                "its dependencies have targets of which nothing would be in the image\n"
                "  src/shop:image is a `slim_python_image`\n"
                "  src/shop:zip is a `archive`\n"
                "  -> name their files in a `files` or `resources` target, or leave them out: !!src/shop:image"
            ),
        ),
    ],
)
def test_messages_of_what_an_image_cannot_be(runner: RuleRunner, name: str, message: str) -> None:
    with pytest.raises(ExecutionError) as caught:
        content(runner, name)
    assert f"src/shop:{name}: {message}" in str(caught.value)


def test_an_edit_of_a_source_leaves_what_an_image_asks_for_alone(runner: RuleRunner) -> None:
    def both() -> tuple[ImageDefinition, ImageContent]:
        return parts(runner, "image"), content(runner, "image")

    definition, before = both()
    assert both()[0] is definition
    runner.write_files({"src/shop/shop/__main__.py": "import idna\n\nEDITED = 1\n"})
    same, after = both()
    runner.write_files({"src/shop/shop/__main__.py": "import idna\n"})
    # The same object: nobody read the target again.
    assert same is definition
    assert after.sources != before.sources
    assert after.files == before.files


def test_a_child_has_its_own_sources_and_command(runner: RuleRunner) -> None:
    child, image = parts(runner, "child"), parts(runner, "image")
    assert child.extends == image.address
    assert content(runner, "child").sources == content(runner, "image").sources
    assert child.config.entrypoint == ("/app/bin/tool",)


def test_an_image_as_base_is_an_image_that_is_extended(runner: RuleRunner) -> None:
    below, child, top = (parts(runner, name) for name in ("below", "on-image", "on-top"))
    assert (child.base, child.extends) == (below.base, below.address)
    assert (top.base, top.extends) == (below.base, child.address)
    assert child.platforms == top.platforms == below.platforms
    assert content(runner, "on-image").sources == content(runner, "child").sources
    assert (child.config.env["A"], child.config.env["B"]) == ("1", "3")
    assert child.config.env["PATH"] == below.config.env["PATH"]
    assert (child.config.user, child.config.workdir) == ("7", "/srv")
    assert (top.config.env["B"], top.config.user, top.config.workdir) == ("3", "8", "/srv")
    assert "src/shop:below" in dependencies(runner, "on-image")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("both", "the field `base` names the image src/shop:below, and `extends` names src/shop:image"),
        ("round", "its base is itself: src/shop:round -> src/shop:trip -> src/shop:round"),
    ],
)
def test_images_that_cannot_stand_on_each_other(runner: RuleRunner, name: str, said: str) -> None:
    with pytest.raises(ExecutionError) as caught:
        parts(runner, name)
    assert said in str(caught.value)


def test_packages_that_an_image_and_those_it_extends_add(runner: RuleRunner) -> None:
    assert parts(runner, "image").packages == ()
    assert parts(runner, "with-tini").packages == ("tini",)
    assert parts(runner, "with-curl").packages == ("tini", "curl, tini")
    assert parts(runner, "with-both").packages == ("tini", "curl, tini")
    base = runner.request(PlatformBase, [parts(runner, "with-both").base_on("linux/amd64")]).base
    assert isinstance(base, DebianBase)
    assert [one.name for one in base.packages] == ["tzdata", "tini", "curl"]
    assert [[one.name for one in group.packages] for group in base.added] == [["tini"], ["curl"]]


def test_an_image_of_a_registry_takes_no_packages(runner: RuleRunner) -> None:
    with pytest.raises(ExecutionError) as caught:
        runner.request(PlatformBase, [parts(runner, "nowhere").base_on("linux/amd64")])
    assert (
        "src/shop:nowhere: the field `extra_packages` names tini, but its base src/shop:of-registry is an image "
        "of a registry, whose packages nobody here can lock\n  -> name an image that has them in the field "
        "`image` of the base, or let the image have a `debian_python_base`"
    ) in str(caught.value)


def test_the_key_of_an_image_knows_the_packages_that_it_adds(runner: RuleRunner) -> None:
    def key() -> str:
        return runner.request(ImageKey, [ImageKeyRequest(Address("src/shop", target_name="with-tini"))]).key

    before = key()
    other = json.dumps(LOCK).replace("1" * 64, "2" * 64)
    runner.write_files({"3rdparty/debian/base.lock": other})
    assert key() != before
    runner.write_files({"3rdparty/debian/base.lock": FILES["3rdparty/debian/base.lock"]})
    assert key() == before


def test_packages_of_images_are_asked_for_with_their_platforms(runner: RuleRunner) -> None:
    (request,) = runner.request(UserGenerateLockfiles, [RequestedBaseNames(["base"])])
    asked = json.loads(getattr(request, "request"))  # noqa: B009 # it is of our own kind
    assert asked["image_packages"] == {"tini": ["linux/amd64"], "curl, tini": ["linux/amd64"]}
    # What is broken elsewhere, as `round` and `trip` are, stops nothing.
    runner.write_files({"src/shop/BUILD": FILES["src/shop/BUILD"].replace("extra_packages=", "tags=")})
    (request,) = runner.request(UserGenerateLockfiles, [RequestedBaseNames(["base"])])
    assert "image_packages" not in getattr(request, "request")  # noqa: B009


def test_bases_and_build_locks_are_resolves(runner: RuleRunner) -> None:
    assert runner.request(KnownUserResolveNames, [KnownBaseNamesRequest()]).names == ("base",)
    names = runner.request(KnownUserResolveNames, [KnownBuildLockNamesRequest()]).names
    assert names == ("python-default-build",)
    (request,) = runner.request(UserGenerateLockfiles, [RequestedBaseNames(["base"])])
    assert request.lockfile_dest == "3rdparty/debian/base.lock"


def test_each_step_has_its_code(runner: RuleRunner) -> None:
    core = runner.request(CoreSources, [])
    assert core.steps["plan"] != core.steps["build"]
    assert "ociwheel/plan/plan_step.py" in paths(runner, core.steps["plan"])
    assert "ociwheel/build/builder.py" not in paths(runner, core.steps["plan"])


def test_what_a_step_is_made_from(runner: RuleRunner) -> None:
    files = runner.request(
        Digest,
        [
            CreateDigest(
                [
                    FileContent("target.json", b"{}"),
                    FileContent("sources/run", b"", is_executable=True),
                    SymlinkEntry("sources/link", "run"),
                ]
            )
        ],
    )
    tree = Digest("b" * 64, 9)
    request = StepRequest(
        step="source-layer",
        arguments=("--sources", "sources"),
        description="not in the key",
        toolbox=Toolbox(Digest("a" * 64, 9)),
        inputs=files,
        trees=FrozenDict({"sysroot": tree}),
        interpreter=Tree(tree),
    )
    assert runner.request(StepInputs, [request]).fields() == {
        "step": "source-layer",
        "arguments": ["--sources", "sources"],
        "files": {
            "target.json": hashlib.sha256(b"{}").hexdigest(),
            "sources/run": hashlib.sha256(b"").hexdigest() + " executable",
            "sources/link": "-> run",
        },
        "trees": {"sysroot": "b" * 64},
        "code": runner.request(CoreSources, []).steps["source-layer"].fingerprint,
        "libraries": "a" * 64,
        "interpreter": "b" * 64,
    }


def test_a_step_runs_on_this_machine_and_logs_its_key(
    runner: RuleRunner, caplog: pytest.LogCaptureFixture
) -> None:
    request = StepRequest("index", ("--request", "none.json", "--output", "out"), "Write the index", None)
    with caplog.at_level("DEBUG", logger="slim_python_image.util_rules.steps"):
        outcome = runner.request(StepOutcome, [request])
    assert outcome.error is not None
    assert "none.json" in outcome.error
    (record,) = [one for one in caplog.records if one.message.startswith("Key of `Write the index`: ")]
    assert json.loads(record.message.partition(": ")[2])["arguments"][2:] == ["index", *request.arguments]
