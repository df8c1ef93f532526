from __future__ import annotations

import ast
from pathlib import Path

import pytest

from api_check import options, sources, uses
from api_check.model import Call, Condition, Place, Use

PACKAGE = "slim_python_image"
SINCE_2_32 = Condition(">=", (2, 32))
ON_2_17 = Condition("==", (2, 17))
VERSIONS = (
    "_OLD = (2, 17)\nPANTS_217 = minor_version(VERSION) == _OLD\nLATER = minor_version(VERSION) >= (2, 32)\n"
)
PRODUCTS = """
from dataclasses import dataclass
from pants.engine.fs import Digest
from pants.engine.target import FieldSet

@dataclass(frozen=True)
class Tree:
    digest: Digest
    older: Digest | None
    several: tuple[Digest, ...]

class Images(FieldSet):
    name: str

@rule
async def read(tree: Tree, digest: Digest) -> Tree: ...
"""


def read(text: str, **others: str) -> sources.Sources:
    texts = {"versions": VERSIONS, "products": PRODUCTS, **others, "under_test": text}
    return sources.of_trees(
        {f"{PACKAGE}.{name}": (f"{name}.py", ast.parse(content)) for name, content in texts.items()}
    )


def used(text: str, **others: str) -> list[Use]:
    """Return what a module uses, but for what it imports."""
    ours = read(text, **others)
    found = list(uses.of_module(ours, ours.modules[f"{PACKAGE}.under_test"]))
    return [
        use
        for use in found
        if use.call is not None or use.name.rpartition(".")[0].rpartition(".")[2][0].isupper()
    ]


def names(text: str) -> list[str]:
    return [use.name for use in used(text)]


IMPORTS = f"from pants.engine.fs import Digest\nfrom {PACKAGE}.products import Tree, Images, read\n"


@pytest.mark.parametrize(
    "text",
    [
        "def f(one: Digest): return one.size",
        "def f(one: Digest | None): return one.size",
        "def f(one: 'Digest'): return one.size",
        "def f(): one: Digest = g(); return one.size",
        "def f(): one = Digest(); two = one; return one.size",
        "def f(tree: Tree): return tree.digest.size",
        "def f(tree: Tree): return tree.older.size",
        "def f(tree: Tree):\n    digest = tree.digest\n    return digest.size",
        "async def f(): return (await read()).digest.size",
        "def f(): return Digest.size",
        "class A:\n    one: Digest\n    def f(self): return self.one.size",
        "def f(one: Digest):\n    def inner(): return one.size",
    ],
)
def test_attributes_of_values_whose_class_is_told(text: str) -> None:
    assert "pants.engine.fs.Digest.size" in names(IMPORTS + text)


@pytest.mark.parametrize(
    "text",
    [
        "def f(one): return one.size",
        "def f(one: Digest):\n    one = g()\n    return one.size",
        "def f(one: Digest): return [one.size for one in g()]",
        "def f(one: Digest): return (lambda one: one.size)(g())",
        "def f(one: Digest):\n    if isinstance(one, Other): return one.size",
        "def f(tree: Tree): return tree.several.size",
        "def f(tree: Tree): return tree.size",
    ],
)
def test_attributes_of_others_are_nobodys(text: str) -> None:
    assert names(IMPORTS + text) == []


def test_what_a_class_of_ours_inherits() -> None:
    assert names(IMPORTS + "def f(images: Images): return images.address, images.name") == [
        "pants.engine.target.FieldSet.address"
    ]


def test_an_enumeration_and_a_module() -> None:
    text = "from pants.engine import fs\nfrom pants.engine.process import Scope\nfs.Digest(1)\nScope.always.value\n"
    assert [(use.name, use.call) for use in used(text)] == [
        ("pants.engine.fs.Digest", Call((None,))),
        ("pants.engine.process.Scope.always", None),
    ]


def call(text: str, **others: str) -> Call:
    [found] = [use.call for use in used(IMPORTS + text, **others) if use.call]
    return found


def test_calls() -> None:
    digest = "pants.engine.fs.Digest"
    assert call("def f(one: Digest): return Digest(one, 2, size=3)") == Call((digest, None), ("size",))
    assert call("Digest(*a)") == Call(more=True)
    assert call("Digest(1, **more)") == Call((None,), more=True)
    assert call("import dataclasses\ndef f(one: Digest): return dataclasses.replace(one, size=1)") == Call(
        keywords=("size",), replaces=True
    )
    assert call(f"{IMPORTS}from {PACKAGE}.names import Digest as Other\nOther()", names=IMPORTS) == Call()


def test_a_call_of_a_rule() -> None:
    text = (
        "from pants.engine.rules import implicitly\nasync def f(tree: Tree): await read(tree, **implicitly())"
    )
    assert [use.call for use in used(IMPORTS + text) if use.name == f"{PACKAGE}.products.read"] == [
        Call((f"{PACKAGE}.products.Tree",), implicitly=True)
    ]


def test_dictionaries_of_keywords() -> None:
    both = {(): Call(keywords=("size", "name"))}
    by_version = {
        (ON_2_17,): Call(keywords=("size",)),
        (ON_2_17.opposite(),): Call(keywords=("size", "name")),
    }
    for text, expected in {
        "Digest(size=1, **{'name': 2})": both,
        "MORE = {'name': 2}\nDigest(size=1, **MORE)": both,
        "def f():\n    more = {'name': 2}\n    Digest(size=1, **more)": both,
        "Digest(**{'size': 1, **{'name': 2}})": both,
        "MORE = {} if PANTS_217 else {'name': 2}\nDigest(size=1, **MORE)": by_version,
        "Digest(size=1, **({'name': 2} if not PANTS_217 else {}))": by_version,
    }.items():
        found = used(f"{IMPORTS}from {PACKAGE}.versions import PANTS_217\n{text}")
        assert {use.conditions: use.call for use in found} == expected, text
    assert call("Digest(size=1, **{one: 1 for one in two})") == Call(keywords=("size",), more=True)
    assert call("MORE = {}\nMORE = {'name': 2}\nDigest(size=1, **MORE)") == Call(
        keywords=("size",), more=True
    )


def imported(text: str, **others: str) -> dict[str, tuple[Condition, ...]]:
    ours = read(text, **others)
    return {
        use.name: use.conditions
        for module in ours.modules.values()
        if module.name not in {f"{PACKAGE}.products", f"{PACKAGE}.versions"}
        for use in uses.of_module(ours, module)
    }


def test_branches_for_versions() -> None:
    text = """
from typing import TYPE_CHECKING
from slim_python_image.versions import LATER, PANTS_217
if TYPE_CHECKING:
    from pants.a import never
elif PANTS_217:
    from pants.a import old
else:
    from pants.a import new
def f():
    if not LATER:
        from pants.a import earlier
"""
    assert imported(text) == {
        "pants.a.old": (ON_2_17,),
        "pants.a.new": (ON_2_17.opposite(),),
        "pants.a.earlier": (SINCE_2_32.opposite(),),
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("if LATER:\n    from slim_python_image import other", (SINCE_2_32,)),
        ("def f():\n    if LATER:\n        from slim_python_image.other import x", (SINCE_2_32,)),
        # A method that only later versions call imports it too.
        (
            "if LATER:\n    from slim_python_image import other\ndef f():\n    from slim_python_image import other",
            (SINCE_2_32,),
        ),
        ("def f():\n    from slim_python_image import other", ()),
        ("if LATER:\n    from slim_python_image import other\nfrom slim_python_image.other import x", ()),
        ("from slim_python_image import other", ()),
    ],
)
def test_a_module_counts_where_it_is_imported(text: str, expected: object) -> None:
    found = imported(f"from {PACKAGE}.versions import LATER\n{text}", other="from pants.a import x\n")
    assert found == {"pants.a.x": expected}


def test_imports_that_may_fail() -> None:
    text = "try:\n    from pants.a import x, y\nexcept ImportError:\n    from pants.b import x\n"
    ours = read(text)
    assert {
        use.name: use.otherwise for use in uses.of_module(ours, ours.modules[f"{PACKAGE}.under_test"])
    } == {
        "pants.a.x": "pants.b.x",
        "pants.a.y": "",
        "pants.b.x": "pants.a.x",
    }


def test_options_in_texts_and_our_own() -> None:
    ours = read(
        "message = f'set [python].resolves, or {x} [slim].jobs'\n"
        "class O:\n    options_scope = 'slim'\n    jobs = IntOption(default=1)\n"
    )
    assert [(use.name, use.place) for use in options.of_messages(ours)] == [
        ("[python].resolves", Place("under_test.py", 1)),
        ("[slim].jobs", Place("under_test.py", 1)),
    ]
    assert list(options.own_facts(ours)) == ["[slim].jobs"]


def test_options_of_a_repository(tmp_path: Path) -> None:
    (tmp_path / "pants.toml").write_text(
        '[GLOBAL]\npants_version = "2.33.0"\nbackend_packages.add = ["pants.a", "b"]\n'
    )
    (tmp_path / "README.md").write_text("See `[docker].registries`.\n")
    (tmp_path / "docs/decisions").mkdir(parents=True)
    (tmp_path / "docs/decisions/001.md").write_text("`[old].option`\n")
    (tmp_path / "docs/cache.md").write_text(
        "1. Do:\n\n   ```toml\n   [python]\n   a = 1\n   resolves = 2  # from Pants 2.32\n   b = 3  # Pants 2.17\n"
        "   c = 3  # Pants 2.17: see below\n   [python.d]\n   e = 1\n   ```\n"
    )
    found = [(use.name, str(use.place), use.conditions) for use in options.of_repository(tmp_path)]
    assert found == [
        ("[GLOBAL].pants_version", "pants.toml:2", ()),
        ("[GLOBAL].backend_packages", "pants.toml:3", ()),
        ("pants.a.register", "pants.toml:3", ()),
        ("[docker].registries", "README.md:1", ()),
        ("[python].a", "docs/cache.md:5", ()),
        ("[python].resolves", "docs/cache.md:6", (SINCE_2_32,)),
        ("[python].b", "docs/cache.md:7", (ON_2_17,)),
        ("[python].c", "docs/cache.md:8", ()),
        ("[python].d", "docs/cache.md:9", ()),
    ]
    (tmp_path / "docs/cache.md").write_text("```toml\n[python\n```\n")
    with pytest.raises(ValueError, match=r"docs/cache\.md:2: Expected ']'"):
        list(options.of_repository(tmp_path))
