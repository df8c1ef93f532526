"""`slim-digest`: thirty kinds of edit, and whether the image is another after each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.monorepo import write_monorepo
from tests.integration.repository import Caches, Repository, make_repository, stopped

pytestmark = pytest.mark.slow

_SERVICE, _CHILD = "src/service:image", "src/child:image"
_BUILD, _LOCK = "src/service/BUILD", "3rdparty/python/default.lock"
# what: file, old, new, which images are others. An old text of "" is the end of the file.
EDITS: dict[str, tuple[str, str, str, set[str]]] = {
    "a line of a source": ("src/service/service/app.py", "", "\nX = 1\n", {_SERVICE, _CHILD}),
    "a comment in a source": ("src/service/service/app.py", "", "\n# x\n", {_SERVICE, _CHILD}),
    "a source of both": ("src/shared/shared/__init__.py", "", "\nX = 1\n", {_SERVICE, _CHILD}),
    "a source of the child": ("src/child/child/__main__.py", "", "\nX = 1\n", {_CHILD}),
    "a resource": ("src/service/service/page.html", "hello", "bye", {_SERVICE, _CHILD}),
    "a file": ("src/service/config/limits.json", "{}", "[]", {_SERVICE, _CHILD}),
    "a source that is left out": ("src/service/service/unused.py", "True", "False", set()),
    "a source of another image": ("src/tool/extra.py", "True", "False", set()),
    "a comment in a BUILD file": (_BUILD, "python_sources(", "# x\npython_sources(", set()),
    "a new target": (_BUILD, "", '\nfiles(name="more", sources=["BUILD"])\n', set()),
    "a description": (_BUILD, "    user=", '    description="x",\n    user=', set()),
    "a tag": (_BUILD, "    user=", '    image_tags=["x"],\n    user=', set()),
    "a repository": (_BUILD, "    user=", '    repository="x",\n    user=', set()),
    "an output path": (_BUILD, "    user=", '    output_path="x/y",\n    user=', set()),
    "a format": (_BUILD, "    user=", '    output_format="oci-archive",\n    user=', set()),
    "an argument": (_BUILD, '"8080"],\n    base', '"8081"],\n    base', {_SERVICE}),
    "a variable": (_BUILD, "quiet", "loud", {_SERVICE}),
    "a user": (_BUILD, "1000:1001", "1000:1002", {_SERVICE}),
    "a port": (_BUILD, "53/udp", "54/udp", {_SERVICE}),
    "a label": (_BUILD, 'title": "service"', 'title": "other"', {_SERVICE}),
    "an annotation": (_BUILD, '"1.0"', '"1.1"', {_SERVICE}),
    "a signal": (_BUILD, "SIGINT", "SIGTERM", {_SERVICE}),
    "a folder": (_BUILD, '/srv/data"],', '/srv/more"],', {_SERVICE}),
    "an entry point": (_BUILD, "service.app:run", "service.app:host", {_SERVICE}),
    "the child's entry point": ("src/child/BUILD", 'entry_point="child"', 'entry_point="child.x"', {_CHILD}),
    "a platform": (_BUILD, 'platforms=["linux/amd64"],\n    env', 'platforms=["linux/arm64"],\n    env', {_SERVICE}),
    "a locked version that is used": (_LOCK, "idna==3.10", "idna==3.9", {_SERVICE, _CHILD}),
    "a locked hash that is used": (_LOCK, "12f65c9b", "12f65c9c", {_SERVICE, _CHILD}),
    "a line that only the child reaches": (_LOCK, "certifi==", "certifi==1", {_CHILD}),
    "a line that nobody reaches": (_LOCK, "", "zope==1 \\\n    --hash=sha256:aa\n    # via nobody\n", set()),
    "a comment in a lock": (_LOCK, "idna==", "# x\nidna==", set()),
    "a version that is asked for": ("3rdparty/python/requirements.txt", "click\n", "click>=1\n", set()),
}  # fmt: skip


@pytest.fixture(scope="module")
def repository(
    tmp_path_factory: pytest.TempPathFactory, plugin: Path, caches: Caches
) -> Iterator[Repository]:
    folder = tmp_path_factory.mktemp("slim-digest") / "repository"
    with stopped(write_monorepo(make_repository(folder, caches, plugin=plugin))) as made:
        lock = made.root / _LOCK
        # As uv writes it: without comments of who requires a line, every line counts.
        via = [f"{line}\n    # via -r requirements.txt" if _ends(line) else line for line in lines(lock)]
        lock.write_text("\n".join(via) + "\n")
        yield made


def lines(path: Path) -> list[str]:
    return [
        line for line in path.read_text().splitlines() if line.strip() and not line.lstrip().startswith("#")
    ]


def _ends(line: str) -> bool:
    return not line.endswith("\\")


def keys(repository: Repository) -> dict[str, str]:
    run = repository.pants("slim-digest", _SERVICE, _CHILD, daemon=True)
    assert run.exit_code == 0, run.stderr
    assert run.started == []  # nothing is built, fetched or planned
    rows = [line.split("  ") for line in run.stdout.splitlines()]
    return {address: key for key, address in rows}


def test_a_key_changes_when_the_digest_would(repository: Repository) -> None:
    before = keys(repository)
    assert set(before) == {_SERVICE, _CHILD}
    assert all(len(key) == 64 for key in before.values())
    wrong = {}
    for what, (path, old, new, others) in EDITS.items():
        file = repository.root / path
        text = file.read_text()
        assert not old or old in text, what
        file.write_text(text.replace(old, new, 1) if old else text + new)
        after = keys(repository)
        changed = {one for one in before if before[one] != after[one]}
        if changed != others:
            wrong[what] = changed
        file.write_text(text)
    assert wrong == {}
    assert keys(repository) == before
