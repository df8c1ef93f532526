"""What `bench/adopt` counts, reads and writes, without a monorepo."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from bench.adopted.cli import parser
from bench.adopted.containers import compressed_bytes, found_line
from bench.adopted.monorepos import Changed, Service, changed, monorepos, read
from bench.adopted.report import PAGE, RESULTS, page
from bench.adopted.trial import Machine, Trial, TrialError
from tests.integration.repository import ROOT
from tests.support.engine import EngineError

PATCH = """\
diff --git a/3rdparty/BUILD b/3rdparty/BUILD
new file mode 100644
--- /dev/null
+++ b/3rdparty/BUILD
@@ -0,0 +1,2 @@
+debian_python_base(name="base")
+-- is a line, too
diff --git a/pants.toml b/pants.toml
--- a/pants.toml
+++ b/pants.toml
@@ -1,3 +1,3 @@
 [GLOBAL]
--- a comment
+a = 1

@@ -9 +9,2 @@ more
-b = 1
+b = 2
+c = 3
diff --git a/a.lock b/a.lock
--- a/a.lock
+++ b/a.lock
@@ -1 +1 @@
-old
+new
diff --git a/a.lock.metadata b/a.lock.metadata
--- a/a.lock.metadata
+++ b/a.lock.metadata
@@ -1,2 +1 @@
 {
-"old": 1
"""
LIST = """\
[shop]
source = "https://example.com/shop"
commit = "abc"
pants = "2.31.0"
engine = "2.33.0"
edit = "a.py"
had = ["src:bin"]
mirrors = ["https://example.com/tool.git"]
about = "A shop."

[[shop.services]]
target = "src:image"
command = ["--help"]
prints = "^usage"
"""


def test_lines_of_a_patch_are_those_of_numstat() -> None:
    assert changed(PATCH) == Changed(added=5, removed=2, files=2, locked=3)


def test_a_list_of_monorepos() -> None:
    (shop,) = read(LIST)
    assert (shop.name, shop.had, shop.locks) == ("shop", ("src:bin",), ())
    assert shop.services == (Service("src:image", ("--help",), "^usage"),)
    assert shop.patch.name == "shop.patch"


def test_each_monorepo_has_a_patch_of_ours() -> None:
    for one in monorepos():
        count = changed(one.patch.read_text())
        assert count.added > 0, one.name
        assert re.fullmatch("[0-9a-f]{40}", one.commit), one.name


def test_the_line_that_a_service_has_to_print() -> None:
    (shop,) = read(LIST)
    assert found_line(shop.services[0], "hello\nusage: shop\n") == "usage: shop"
    with pytest.raises(EngineError, match=r"src:image: printed nothing like '\^usage', but\nno usage"):
        found_line(shop.services[0], "no usage\n")


def test_a_checkout_of_another_commit(tmp_path: Path) -> None:
    (shop,) = read(LIST.replace("abc", "0" * 40))
    trial = Trial(Machine(ROOT.parent, tmp_path, {}), shop.__class__(**{**vars(shop), "name": ROOT.name}))
    with pytest.raises(TrialError, match=f"is no checkout of {'0' * 40}\n  -> git clone --recurse"):
        trial.prepare()
    absent = Trial(Machine(tmp_path / "none", tmp_path, {}), shop)
    with pytest.raises(TrialError, match="none/shop: is no checkout of 0000") as caught:
        absent.prepare()
    assert str(caught.value).endswith(
        f"  -> git -C {tmp_path}/none clone --bare https://example.com/tool.git"
    )


def test_help_says_how_to_get_what_is_tried(capsys: pytest.CaptureFixture[str]) -> None:
    said = parser().format_help()
    for one in monorepos():
        assert f"git clone --recurse-submodules {one.source} CHECKOUTS/{one.name}\n" in said
        assert one.commit in said
    with pytest.raises(SystemExit):
        parser().parse_args(["there", "--only", "shop"])
    assert "argument --only: invalid choice: 'shop' (choose from" in capsys.readouterr().err


def test_git_is_told_where_a_mirror_is(tmp_path: Path) -> None:
    (shop,) = read(LIST)
    trial = Trial(Machine(tmp_path / "clones", tmp_path / "work", {}), shop)
    with pytest.raises(TrialError, match="tool: is missing; a lock of shop names"):
        trial.tell_git()
    (tmp_path / "clones/tool.git").mkdir(parents=True)
    (tmp_path / "work/shop").mkdir(parents=True)
    trial.tell_git()
    config = Path(trial.repository.env["GIT_CONFIG_GLOBAL"]).read_text()
    there = (tmp_path / "clones/tool.git").as_uri()
    assert config == f'[url "{there}"]\n\tinsteadOf = https://example.com/tool.git\n'


def test_a_row_of_what_was_a_docker_image(monkeypatch: pytest.MonkeyPatch) -> None:
    (shop,) = read(LIST.replace("mirrors", 'images = ["team/shop:1"]\nbases = ["python:3.11"]\nmirrors'))
    monkeypatch.setattr("bench.adopted.report.monorepos", lambda: [shop])
    service = {"target": "src:image", "bytes": 50 << 20, "unpacked": 150 << 20, "line": "usage: a|b"}
    found = {
        "date": "2026-11-27",
        "machine": "2 cores",
        "locks": {},
        "services": [service],
        "changed": {"added": 9, "removed": 1, "files": 2, "locked": 0},
        "seconds": {"cold": 60.0, "edit": 1.5},
        "had": {"cold": 300.0, "edit": 70.0},
        "had_bytes": {"src:docker": 400 << 20},
        "had_images": {"src:docker": {"unpacked": 1000 << 20, "line": "usage: a|b"}},
    }
    text = page({"shop": found})
    row = "| [shop](#shop) | 2.31.0 | 2.33.0 | +9 -1 | 1 | 50 | 1.5 | `docker_image` | 400 | 70.0 |"
    assert row in text.splitlines()
    assert "| `docker_image`, edit | 70.0 |" in text.splitlines()
    assert "| had: `src:docker` | 400 | 1000 | `usage: a\\|b` |" in text.splitlines()


def test_the_layers_of_an_image_as_a_push_sends_them(tmp_path: Path) -> None:
    for name, document in (
        ("index.json", {"manifests": [{"digest": "sha256:abc"}]}),
        ("blobs/sha256/abc", {"config": {"size": 7}, "layers": [{"size": 30}, {"size": 12}]}),
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(json.dumps(document))
    assert compressed_bytes(tmp_path) == 42


def test_the_page_is_that_of_the_results() -> None:
    assert (ROOT / PAGE).read_text() == page(json.loads((ROOT / RESULTS).read_text()))
