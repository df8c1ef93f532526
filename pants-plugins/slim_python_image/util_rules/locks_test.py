from __future__ import annotations

import pytest

from slim_python_image.products import SlimImageError
from slim_python_image.util_rules.complete_lock import Demand, reachable, replacements
from slim_python_image.util_rules.locks import normalized, requirement_name
from slim_python_image.util_rules.plans import LocalProject, check_local


@pytest.mark.parametrize(
    ("requirement", "name"),
    [
        ("fastapi>=0.1", "fastapi"),
        ("uvicorn[standard]", "uvicorn"),
        (" Flask_SQLAlchemy ; python_version < '3.12'", "flask-sqlalchemy"),
        ("zope.interface", "zope-interface"),
        ("pip @ https://example.com/pip.whl", "pip"),
    ],
)
def test_requirement_name(requirement: str, name: str) -> None:
    assert requirement_name(requirement) == name


def test_a_requirement_without_a_name() -> None:
    with pytest.raises(SlimImageError) as e:
        requirement_name("./local.whl")
    assert str(e.value) == (
        "the requirement './local.whl' names no distribution\n  -> write NAME==VERSION, or NAME @ URL"
    )


def test_overrides_name_other_projects() -> None:
    texts = ["a<2", "Some_Thing=other-thing>2", "b[Fast]==1", "some-thing = another[x]"]
    assert replacements(texts) == {
        "a": {Demand("a")},
        "b": {Demand("b", frozenset({"fast"}))},
        "some-thing": {Demand("other-thing"), Demand("another", frozenset({"x"}))},
    }


@pytest.mark.parametrize(
    ("requirement", "demand"),
    [
        ("fastapi>=0.1", Demand("fastapi")),
        ("uvicorn[Standard, http_tools]>=1", Demand("uvicorn", frozenset({"standard", "http-tools"}))),
        ("httpx<1; extra == 'test'", Demand("httpx", only_for=frozenset({"test"}))),
        (
            'b[c] (>=1) ; python_version < "4" and (extra == "X_y")',
            Demand("b", frozenset({"c"}), frozenset({"x-y"})),
        ),
        ("b; extra == 'a' or python_version < '4'", Demand("b")),
        ("b; extra != 'a'", Demand("b")),
        ("b @ https://example.com/b[1].whl ; extra == 'a'", Demand("b", only_for=frozenset({"a"}))),
    ],
)
def test_what_a_requirement_asks_for(requirement: str, demand: Demand) -> None:
    assert Demand.of(requirement) == demand


@pytest.mark.parametrize(
    ("path", "folder", "has"),
    [
        ("libs/one", "libs/one/src", True),
        ("./libs/one", "libs/one", True),
        ("libs/one", "libs/one2", False),
        (".", "src/anything", True),
        ("/home/jo/repo/libs/one", "libs/one/src", True),
        ("/home/jo/repo/libs/one", "libs/two", False),
    ],
)
def test_the_folder_of_a_project_in_a_lock(path: str, folder: str, has: bool) -> None:
    assert LocalProject("one", path, ()).has(folder) is has


def test_a_project_of_the_repository_without_its_code() -> None:
    local = [LocalProject("one", "libs/one", ("app requires one (root from src:reqs)",))]
    check_local(local, ["src/app", "libs/one"], "src/app:image")
    with pytest.raises(SlimImageError) as e:
        check_local(local, ["src/app"], "src/app:image")
    assert str(e.value) == (
        "src/app:image: the lock has projects by their path, and no code of theirs is among the dependencies\n"
        "  one (libs/one): app requires one (root from src:reqs)\n"
        "  -> add their `python_sources` or `python_distribution` to `dependencies`"
    )


def test_normalized() -> None:
    assert normalized("Ruamel._-Yaml") == "ruamel-yaml"


def reached(roots: list[str], requires: dict[str, list[str]]) -> frozenset[str]:
    return reachable(
        map(Demand.of, roots), {name: list(map(Demand.of, texts)) for name, texts in requires.items()}
    )


def test_reachable_follows_cycles_and_leaves_the_rest() -> None:
    requires = {"a": ["b"], "b": ["a", "c"], "d": ["c"]}
    assert reached(["a"], requires) == {"a", "b", "c"}
    assert reached([], requires) == frozenset()


def test_reachable_asks_for_extras() -> None:
    requires = {
        "a": ["b", "tests; extra == 'test'", "a[fast]; extra == 'all'", "loop; extra == 'fast'"],
        "b": ["c[x]"],
        "c": ["d; python_version < '4' and extra == 'x'", "e; extra == 'y'"],
    }
    assert reached(["a"], requires) == {"a", "b", "c", "d"}
    # Asked for by a second one, after it was met without.
    assert reached(["a[all]", "a"], requires) == {"a", "b", "c", "d", "loop"}
    assert reached(["a", "c[y]"], requires) == {"a", "b", "c", "d", "e"}
