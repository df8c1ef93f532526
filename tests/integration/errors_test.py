"""Every error that a user can cause, its message read whole, out of the real ``./pants``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Self

import pytest

from tests.integration.repository import (
    BASE,
    ROOT,
    Caches,
    Repository,
    locked,
    make_repository,
    stopped,
    version,
)

pytestmark = pytest.mark.slow

BASE_BUILD = "3rdparty/debian/BUILD"
BASE_LOCK = "3rdparty/debian/bookworm-py311.lock"
LOCK = "3rdparty/python/default.lock"
RELOCK = "./pants generate-lockfiles --resolve=bookworm-py311"
IDNA = version("idna")


def image(**fields: object) -> str:
    """Return an image target that is right but for ``fields``; ``None`` leaves one out."""
    good = {
        "name": "image",
        "entry_point": "hello",
        "base": BASE,
        "platforms": ["linux/amd64"],
        "dependencies": ["src/app:lib"],
    }
    listed = ", ".join(f"{key}={value!r}" for key, value in {**good, **fields}.items() if value is not None)
    return f"slim_python_image({listed})\n"


@pytest.fixture(scope="module")
def repository(
    tmp_path_factory: pytest.TempPathFactory, plugin: Path, caches: Caches
) -> Iterator[Repository]:
    with stopped(make_repository(tmp_path_factory.mktemp("errors") / "repo", caches, plugin=plugin)) as made:
        made.write("3rdparty/python/BUILD", 'python_requirements(name="reqs")\n')
        made.write("3rdparty/python/requirements.txt", "click\nidna\n")
        made.write(LOCK, locked("click", "idna"))
        made.write("src/app/hello.py", "import idna\n\nprint(idna)\n")
        made.write("src/app/BUILD", 'python_sources(name="lib")\n' + image(dependencies=[":lib"]))
        made.package("src/app:image", daemon=True)
        yield made


@pytest.fixture
def message(repository: Repository) -> Iterator[Message]:
    with Message(repository) as asking:
        yield asking


class Message:
    """Packages ``src/broken:image`` as a test describes it, and puts everything back."""

    def __init__(self, repository: Repository) -> None:
        self.repository = repository
        self.before: dict[Path, str | None] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for file, text in self.before.items():
            if text is None:
                file.unlink(missing_ok=True)
            else:
                file.write_text(text)

    def __call__(
        self, build: str, files: Mapping[str, str | None] | None = None, options: tuple[str, ...] = ()
    ) -> str:
        """Return the message.

        :param build: the BUILD file of ``src/broken``.
        :param files: other files by path, ``None`` for one that is not there.
        """
        for path, text in {"src/broken/BUILD": build, **(files or {})}.items():
            file = self.repository.root / path
            self.before[file] = file.read_text() if file.exists() else None
            if text is None:
                file.unlink()
            else:
                self.repository.write(path, text)
        run = self.repository.pants(*options, "package", "src/broken:image", daemon=True)
        assert run.exit_code == 1, run.stderr
        return run.error


# --- the base ------------------------------------------------------------------------------------------


def test_a_base_without_a_lock(message: Message) -> None:
    build = 'debian_python_base(name="new", suites=["bookworm"])\n' + image(base=":new")
    assert message(build) == (
        "SlimImageError: src/broken:new: the base has no lock, src/broken/new.lock is not there\n"
        "  -> write it: ./pants generate-lockfiles --resolve=new"
    )


@pytest.mark.parametrize(
    ("old", "new", "fields"),
    [
        ('"netbase", ', "", "`packages`"),
        ('python="3.11"', 'python="3.13"', "`python`"),
        ('["linux/amd64",', '["linux/386", "linux/amd64",', "`platforms`"),
    ],
)
def test_a_stale_lock(message: Message, old: str, new: str, fields: str) -> None:
    text = (ROOT / BASE_BUILD).read_text()
    assert old in text
    assert message(image(), {BASE_BUILD: text.replace(old, new)}) == (
        f"SlimImageError: {BASE_LOCK}: the lock is older than the fields {fields} of "
        f"3rdparty/debian:bookworm-py311\n  -> write it again: {RELOCK}"
    )


def test_a_lock_with_a_merge_conflict(message: Message) -> None:
    assert message(image(), {BASE_LOCK: "<<<<<<< HEAD\n{}"}) == (
        f"SlimImageError: {BASE_LOCK}: is not JSON (Expecting value: line 1 column 1 (char 0)); a merge conflict?\n"
        f"  -> write it again: {RELOCK}"
    )


def test_a_platform_that_the_base_has_not(message: Message) -> None:
    assert message(image(platforms=["linux/s390x"])) == (
        "SlimImageError: src/broken:image: the platform linux/s390x is not one of the base "
        "3rdparty/debian:bookworm-py311, which has linux/amd64, linux/arm64, linux/arm/v7\n"
        f"  -> add it to the field `platforms` of 3rdparty/debian:bookworm-py311, then: {RELOCK}"
    )


@pytest.mark.parametrize("platforms", [["linux/amd64"], None])
def test_a_base_that_is_none(message: Message, platforms: list[str] | None) -> None:
    assert message(image(base="src/app:lib", platforms=platforms)) == (
        "SlimImageError: src/broken:image: the field `base` names src/app:lib, which is a `python_sources`\n"
        "  -> name a `debian_python_base` or `registry_python_base` target"
    )


def test_a_base_that_is_not_there(message: Message) -> None:
    assert message(image(base="src/app:gone")) == (
        "ResolveError: The address src/app:gone from the field `base` of src/broken:image does not exist."
    )


def test_a_package_that_left_every_mirror(message: Message) -> None:
    lock = json.loads((ROOT / BASE_LOCK).read_text())
    (key,) = (key for key in lock["packages"] if key.startswith("tzdata="))
    row = lock["packages"][key]
    folder = row["path"].rpartition("/")[0]
    # Those that are fetched with it are still there, so nothing is said of them.
    row["path"] = f"{folder}/tzdata_1999a-1_all.deb"
    first, *mirrors, last = message(image(), {BASE_LOCK: json.dumps(lock)}).splitlines()
    assert first == "SlimImageError: tzdata=1999a-1 (all): no mirror has this version any more"
    assert mirrors
    assert all(line.endswith(f"/{row['path']}: answered 404 Not Found") for line in mirrors)
    assert last == (
        f"  -> mirrors drop old versions: lock again with `{RELOCK}`, or add a mirror that keeps them"
    )


# --- what an image starts, and as whom -----------------------------------------------------------------


def test_an_entry_point_that_is_not_there(message: Message) -> None:
    assert message(image(entry_point="hallo")) == (
        "SlimImageError: src/broken:image: the field `entry_point`: the image has no module 'hallo', which the "
        "entry point names\n"
        "  -> did you mean hello?"
    )


def test_a_function_that_is_not_there(message: Message) -> None:
    assert message(image(entry_point="hello:nofunc")) == (
        "SlimImageError: src/broken:image: the field `entry_point`: the module 'hello' has no 'nofunc', which the "
        "entry point hello:nofunc calls\n"
        "  -> it has: idna"
    )


def test_a_script_that_nobody_installs(message: Message) -> None:
    assert message(image(entry_point=None, script="absent")) == (
        "SlimImageError: src/broken:image: the field `script`: no distribution of the image installs the script "
        "'absent'\n"
        "  -> there are: idna"
    )


def test_code_for_another_python(message: Message) -> None:
    build = 'python_sources(name="new", sources=["*.py"], interpreter_constraints=["CPython>=3.12"])\n'
    files = {"src/broken/newer.py": ""}
    assert message(build + image(entry_point="newer", dependencies=[":new"]), files) == (
        "SlimImageError: src/broken:image: the base 3rdparty/debian:bookworm-py311 has Python 3.11.2, which the "
        "interpreter constraints exclude\n"
        "  CPython>=3.12: src/broken:new\n"
        "  -> name a base with that Python, or correct `interpreter_constraints`"
    )


def test_a_resolve_for_another_python(message: Message) -> None:
    constraints = '{"python-default": ["CPython>=3.12"]}'
    option = f"--python-resolves-to-interpreter-constraints={constraints}"
    assert message(image(), options=(option,)) == (
        "SlimImageError: src/broken:image: the base 3rdparty/debian:bookworm-py311 has Python 3.11.2, which the "
        "interpreter constraints exclude\n"
        "  CPython>=3.12: [python].resolves_to_interpreter_constraints of python-default\n"
        "  -> name a base with that Python, or correct `interpreter_constraints`"
    )


def test_a_lock_for_another_python(message: Message) -> None:
    lock = {
        "pex_version": "2.1.137",
        "requires_python": ["<3.14,>=3.12"],
        "locked_resolves": [{"locked_requirements": []}],
    }
    assert message(image(), {LOCK: json.dumps(lock)}) == (
        f"SlimImageError: {LOCK}: was locked for Python <3.14,>=3.12, and the base has Python 3.11.2\n"
        "  -> name a base with that Python, or lock again for this one: change `interpreter_constraints` "
        "(`requires-python` where uv locks), then ./pants generate-lockfiles"
    )


def test_a_user_that_is_not_there(message: Message) -> None:
    assert message(image(user="appuser")) == (
        "SlimImageError: src/broken:image: the field `user`: there is no user 'appuser' in the image, whose users "
        "are nobody, nonroot, root\n"
        '  -> set the field `user` to one of them, or to a number such as "1000"'
    )


def test_a_package_that_nothing_starts(message: Message) -> None:
    build = 'python_sources(name="new", sources=["tool/*.py"])\n'
    build += image(entry_point="tool", dependencies=[":new"])
    assert message(build, {"src/broken/tool/__init__.py": ""}) == (
        "SlimImageError: src/broken:image: the field `entry_point`: the entry point 'tool' is a package without a "
        "module `__main__`: `python -m` cannot run it\n"
        '  -> add tool/__main__.py, or name a function: "tool:main"'
    )


def test_folders_that_are_files(message: Message) -> None:
    hint = "    -> name a folder, or a place where the image has nothing: it is made"
    assert message(image(workdir="/etc/passwd", volumes=["/app/pyvenv.cfg"])) == (
        "SlimImageError: src/broken:image: 2 problems:\n"
        f"  the field `workdir`: /etc/passwd is a file of the base\n{hint}\n"
        f"  the field `volumes`: /app/pyvenv.cfg is a file of the base\n{hint}"
    )


def test_a_folder_that_nobody_may_write_to(message: Message) -> None:
    assert message(image(writable=["/app"])) == (
        "SlimImageError: src/broken:image: the field `writable` has '/app', where the image's code is: what runs "
        "would be what somebody wrote there\n"
        '  -> name a folder beside the code, such as "/app/data", and set `workdir` to it'
    )


# --- fields --------------------------------------------------------------------------------------------


def test_an_entry_point_and_a_script(message: Message) -> None:
    assert message(image(script="idna")) == (
        "SlimImageError: src/broken:image: the fields `entry_point` and `script` are set together\n"
        "  -> set one of `entry_point`, `executable` and `script`"
    )


def test_neither_entry_point_nor_script(message: Message) -> None:
    assert message(image(entry_point=None)) == (
        "SlimImageError: src/broken:image: no field says what the image starts\n"
        "  -> set one of `entry_point`, `executable` and `script`; what a `pex_binary` among the dependencies "
        "starts is not taken from there"
    )


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        (
            "platforms",
            ["windows/amd64"],
            (
                "src/broken:image: the field `platforms` has 'windows/amd64'; expected an OCI platform such as "
                "'linux/arm/v7'."
            ),
        ),
        (
            "ports",
            ["http"],
            "src/broken:image: the field `ports` has 'http'; expected a port such as '5000' or '53/udp'.",
        ),
        (
            "output_format",
            "tar",
            (
                "Values for the 'output_format' field in target src/broken:image must be one of "
                "['docker-archive', 'docker-image', 'oci-archive', 'oci-layout'], but 'tar' was provided."
            ),
        ),
    ],
)
def test_a_value_that_makes_no_sense(message: Message, field: str, value: object, said: str) -> None:
    assert message(image(**{field: value})) == f"InvalidTargetException: src/broken/BUILD:1: {said}"


# --- extends -------------------------------------------------------------------------------------------


def test_a_parent_on_another_base(message: Message) -> None:
    text = (ROOT / BASE_BUILD).read_text().replace('name="bookworm-py311"', 'name="other"')
    files = {"3rdparty/other/BUILD": text, "3rdparty/other/other.lock": (ROOT / BASE_LOCK).read_text()}
    assert message(image(base="3rdparty/other", extends="src/app:image"), files) == (
        "SlimImageError: src/broken:image: its base is 3rdparty/other:other, but it extends src/app:image, whose "
        "base is 3rdparty/debian:bookworm-py311\n  -> use one base for both"
    )


def test_a_parent_without_the_platform(message: Message) -> None:
    assert message(image(platforms=["linux/amd64", "linux/arm64"], extends="src/app:image")) == (
        "SlimImageError: src/broken:image: it is built for linux/arm64, but it extends src/app:image, which is "
        "not\n  -> add linux/arm64 to the field `platforms` of src/app:image"
    )


def test_a_parent_with_other_layers(message: Message) -> None:
    assert message(image(bytecode="none", extends="src/app:image")) == (
        "SlimImageError: src/broken:image: it extends src/app:image, but `bytecode`, `compression`, `exclude` or `strip` differ\n"
        "  -> use the same in both, the layers are shared"
    )


def test_a_parent_that_is_no_image(message: Message) -> None:
    assert message(image(extends="src/app:lib")) == (
        "SlimImageError: src/broken:image: the field `extends` names src/app:lib, which is a `python_sources`\n"
        "  -> name a `slim_python_image` target"
    )


def test_an_image_that_extends_itself(message: Message) -> None:
    assert message(image(extends=":image")) == (
        "SlimImageError: src/broken:image: it extends itself: src/broken:image -> src/broken:image\n"
        "  -> remove the field `extends` of one of them"
    )


def test_images_that_extend_each_other(message: Message) -> None:
    assert message(image(extends=":b") + image(name="b", extends=":image")) == (
        "SlimImageError: src/broken:image: it extends itself: src/broken:image -> src/broken:b -> "
        "src/broken:image\n  -> remove the field `extends` of one of them"
    )


# --- requirements --------------------------------------------------------------------------------------


def test_a_requirement_that_the_lock_has_not(message: Message) -> None:
    assert message(image(), {LOCK: locked("click")}) == (
        f"StepFailed: {LOCK}: idna is not in the lock\n"
        "  idna (root from 3rdparty/python:reqs#idna)\n"
        "  -> add it to the requirements of this resolve, then lock again with `./pants generate-lockfiles`"
    )


def test_a_line_without_a_hash(message: Message) -> None:
    assert message(image(), {LOCK: "click==8.1.7\n" + locked("idna")}) == (
        f"StepFailed: {LOCK}:1: has no hash: click==8.1.7\n"
        "  -> lock again with hashes: `./pants generate-lockfiles`, `uv pip compile --generate-hashes` or "
        "`pip-compile --generate-hashes`"
    )


def test_requirements_that_contradict_each_other(message: Message) -> None:
    build = (
        'python_requirement(name="a", requirements=["idna>=3"])\n'
        'python_requirement(name="b", requirements=["idna<3"])\n'
    )
    assert message(build + image(dependencies=[":a", ":b"])) == (
        f"StepFailed: {LOCK}: the requirements of this image contradict each other, idna {IDNA} is locked\n"
        "  not satisfied: idna<3 (root from src/broken:b)\n"
        "  satisfied: idna>=3 (root from src/broken:a)\n"
        "  -> make them agree, or use targets of one resolve; then lock again with `./pants generate-lockfiles`"
    )


def test_neither_a_wheel_nor_an_sdist(message: Message) -> None:
    assert message(image(no_binary=["idna"], only_binary=["idna"])) == (
        f"StepFailed: idna {IDNA} has no file that can be used on linux/amd64, Python 3.11.2, glibc 2.36\n"
        f"  idna-{IDNA}-py3-none-any.whl: no_binary forbids it\n"
        f"  idna-{IDNA}.tar.gz: only_binary forbids it\n"
        "  idna (root from 3rdparty/python:reqs#idna)\n"
        "  -> idna is in both no_binary and only_binary: take it out of one of them"
    )


def test_a_file_that_no_index_has(message: Message) -> None:
    none = f"idna==3.10 --hash=sha256:{'0' * 64}\n"
    first, *places, hint = message(image(), {LOCK: none}).splitlines()
    assert first == "StepFailed: idna 3.10: no index has a file with any of the 1 locked hashes"
    assert places
    assert hint == (
        "  -> this version was deleted, or is on an index that is not configured: add that index, or lock again "
        "with `./pants generate-lockfiles`"
    )


def test_no_lockfile(message: Message) -> None:
    requirement = 'python_requirement(name="a", requirements=["idna>=3"])\n'
    options = ("--python-resolves={'python-default': '3rdparty/python/none.lock'}",)
    build = requirement + image(dependencies=[":a"], entry_point=None, script="idna")
    assert message(build, options=options) == (
        "SlimImageError: 3rdparty/python/none.lock: the lockfile is not there\n"
        "  -> write a hash-pinned one, for example: uv pip compile --universal --generate-hashes "
        "--no-emit-index-url -o 3rdparty/python/none.lock <requirements>"
    )


def test_an_unknown_resolve(message: Message) -> None:
    build = 'python_requirement(name="a", requirements=["idna>=3"], resolve="nope")\n'
    assert message(build + image(dependencies=[":a"])) == (
        "UnrecognizedResolveNamesError: Unrecognized resolve name from the field `resolve` in the target "
        "src/broken:a: nope"
    )


def test_requirements_of_several_resolves(message: Message) -> None:
    build = 'python_requirement(name="a", requirements=["click"], resolve="other")\n'
    options = (f"--python-resolves={{'python-default': '{LOCK}', 'other': '3rdparty/python/other.lock'}}",)
    assert message(build + image(dependencies=[":a", "src/app:lib"]), options=options) == (
        "SlimImageError: src/broken:image: its dependencies are of several resolves\n"
        "  other: src/broken:a\n"
        "  python-default: src/app/hello.py:lib\n"
        "  -> one image takes its wheels from one lockfile; use the same `resolve` throughout"
    )


# --- others' errors ------------------------------------------------------------------------------------


def test_the_error_of_one_image_is_not_that_of_another(repository: Repository, message: Message) -> None:
    assert "no field says what the image starts" in message(image(entry_point=None))
    run = repository.pants("package", "src/app:image", daemon=True)
    assert run.exit_code == 0, run.stderr
