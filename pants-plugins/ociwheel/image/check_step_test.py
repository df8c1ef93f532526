"""Images made of real layers, checked as a whole."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ociwheel_testing.wheel_writer import write_wheel

from ociwheel.base.rootfs import rootfs_entries
from ociwheel.debian.policy import CERTIFICATE_BUNDLE as BUNDLE
from ociwheel.errors import ImageError
from ociwheel.image import account_layer_step, check_step
from ociwheel.layer import source_layer_step, wheel_layer_step
from ociwheel.layer.writer import Content, Entry, write_layer
from tests.support.values import target_of

_MINOR = "3.11"
_SITE = f"app/lib/python{_MINOR}/site-packages"
_TARGET = {
    "schema": "ociwheel.target/1", "platform": "linux/amd64", "python": f"{_MINOR}.2", "libc": "glibc",
    "libc_version": "2.36",
}  # fmt: skip
_HAS = "the image has that of"
_TAKEN = f": {_HAS} opencv-headless 1.0"
_PATH = "/app/bin:/usr/local/bin:/usr/bin:/bin"


class Image:
    """Layers of an image in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.names: list[str] = []
        (folder / "target.json").write_text(json.dumps(_TARGET))
        out = self._next()
        entries = [*rootfs_entries(target_of(), "/app"), Entry("usr/bin/python3.11", "file", 0o755)]
        write_layer(entries, out, title="t", contents=[Content("rootfs", "rootfs", "1")])
        self.names.append(str(out / "layer-names.json"))

    def _next(self) -> Path:
        return self.folder / f"layer{len(self.names)}"

    def layer(self, entries: list[Entry]) -> None:
        """Add a layer of the base."""
        out = self._next()
        write_layer(entries, out, title="t", contents=[Content("deb", "demo", "1")])
        self.names.append(str(out / "layer-names.json"))

    def wheels(self, *more: str, **distributions: dict[str, Any]) -> None:
        """Add a layer of wheels, by name."""
        out = self._next()
        for name, options in distributions.items():
            write_wheel(out / "wheels", name, **options)
        self._step(wheel_layer_step, out, "--wheels", str(out / "wheels"), "--title", "t", *more)

    def sources(self, files: dict[str, str], *more: str) -> None:
        """Add the layer of first-party code."""
        out = self._next()
        for name, text in files.items():
            path = self.folder / "sources" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self._step(source_layer_step, out, "--sources", str(self.folder / "sources"), *more)

    def _step(self, step: Any, out: Path, *arguments: str) -> None:
        parser = argparse.ArgumentParser()
        step.configure(parser)
        target = ["--target", str(self.folder / "target.json"), "--output", str(out), "--bytecode", "none"]
        step.run(parser.parse_args([*arguments, *target]))
        self.names.append(str(out / "layer-names.json"))

    def account(self, **request: Any) -> list[list[Any]]:
        """Add the layer of the user's folders, and return its rows."""
        out = self._next()
        request = {"prefix": "/app", "accounts": {}, "names": self.names, **request}
        (self.folder / "account.json").write_text(json.dumps(request))
        parser = argparse.ArgumentParser()
        account_layer_step.configure(parser)
        account_layer_step.run(
            parser.parse_args(["--request", str(self.folder / "account.json"), "--output", str(out)])
        )
        self.names.append(str(out / "layer-names.json"))
        rows: list[list[Any]] = json.loads((out / "layer-facts.json").read_bytes())["files"]
        return rows

    def check(self, **request: Any) -> list[str]:
        """Return the notes."""
        request = {"python": _MINOR, "prefix": "/app", "path": _PATH, "names": self.names, **request}
        (self.folder / "check.json").write_text(json.dumps(request))
        parser = argparse.ArgumentParser()
        check_step.configure(parser)
        sources = self.folder / "sources"
        more = ["--sources", str(sources)] if sources.is_dir() else []
        found = check_step.run(parser.parse_args(["--request", str(self.folder / "check.json"), *more]))
        notes: list[str] = found["notes"]
        return notes

    def fails(self, **request: Any) -> str:
        """Return the error's text."""
        with pytest.raises(ImageError) as e:
            self.check(**request)
        return str(e.value)


@pytest.fixture
def image(tmp_path: Path) -> Image:
    return Image(tmp_path)


Make = Callable[[], None]


# --- who has which file -------------------------------------------------------------------------------


def test_the_same_file_of_two_distributions_is_fine(image: Image) -> None:
    image.wheels(one={"files": {"ns/__init__.py": b"", "ns/a.py": b"1"}})
    image.wheels(two={"files": {"ns/__init__.py": b"", "ns/b.py": b"2"}})
    image.sources({"ns/__init__.py": "", "ns/c.py": "3"})
    assert image.check() == []


def test_different_files_of_one_path_in_two_layers(image: Image) -> None:
    image.wheels(opencv={"files": {"cv2/__init__.py": b"gui", "cv2/b.py": b"1"}})
    image.wheels(opencv_headless={"files": {"cv2/__init__.py": b"headless", "cv2/b.py": b"2"}})
    assert image.fails() == (
        f"opencv 1.0 and opencv-headless 1.0 have different files for /{_SITE}/cv2/__init__.py and 1 other\n"
        '  -> name the one whose file the image shall have in the field `prefer`: prefer=["opencv-headless"]'
    )
    assert image.check(prefer=["OpenCV_headless"]) == [
        f"opencv 1.0 and opencv-headless 1.0 have different files for /{_SITE}/cv2/__init__.py and 1 other{_TAKEN}"
    ]
    assert "the preferred one lies in a layer of the image that this one extends" in image.fails(
        prefer=["opencv"]
    )


def _deb(name: str, path: str, **content: Any) -> Entry:
    return Entry(path, content.pop("kind", "file"), 0o644, origin=f"{name} 1", **content)


def test_alternatives_of_the_base_and_of_the_image(image: Image) -> None:
    link = "etc/alternatives/awk"
    image.layer([_deb("mawk", link, kind="symlink", target="/usr/bin/mawk")])
    image.layer([_deb("gawk", link, kind="symlink", target="/usr/bin/gawk")])
    what = f"mawk 1 and gawk 1 have different files for /{link}"
    assert image.fails() == (
        f'{what}\n  -> name the one whose file the image shall have in the field `prefer`: prefer=["gawk"]'
    )
    assert image.check(prefer=["gawk"]) == [f"{what}: {_HAS} gawk 1"]
    assert image.fails(prefer=["mawk"]) == (
        f"{what}, and the preferred one lies in a layer of the base\n"
        "  -> add gawk to `extra_packages` of the base, where priorities choose, or do without it"
    )


def test_certificates_of_the_base_and_of_the_image_are_not_chosen_between(image: Image) -> None:
    image.layer([_deb("ca-certificates", BUNDLE, source=b"Mozilla's")])
    image.layer([_deb("company-ca", BUNDLE, source=b"ours")])
    for prefer in ([], ["company-ca"], ["ca-certificates"]):
        assert image.fails(prefer=prefer) == (
            f"ca-certificates 1 and company-ca 1 both have certificates, and /{BUNDLE} is one file, made of "
            "those of one layer's packages\n"
            "  -> add company-ca to `extra_packages` of the base, not of the image"
        )


def test_a_bundle_of_first_party_code_is_meant(image: Image) -> None:
    image.layer([_deb("ca-certificates", BUNDLE, source=b"Mozilla's")])
    image.layer([Entry(BUNDLE, "file", 0o644, source=b"both", origin="first-party code")])
    assert image.check() == [
        f"ca-certificates 1 and first-party code have different files for /{BUNDLE}: {_HAS} first-party code"
    ]


def test_two_distributions_with_one_command(image: Image) -> None:
    command = "[console_scripts]\nllama-parse = {}.cli:parse\n"
    for name in ("llama_parse", "llama_cloud_services"):
        image.wheels(**{name: {"files": {f"{name}.py": b""}, "entry_points": command.format(name)}})
    assert image.fails().startswith(
        "llama-parse 1.0 and llama-cloud-services 1.0 have different files for /app/bin/llama-parse\n"
    )
    assert len(image.check(prefer=["llama-cloud-services"])) == 1


def test_first_party_code_over_a_distribution_is_told(image: Image) -> None:
    image.wheels(one={"files": {"one.py": b"1"}})
    image.sources({"one.py": "2"})
    assert image.check() == [
        f"one 1.0 and first-party code have different files for /{_SITE}/one.py: {_HAS} first-party code"
    ]


def test_an_edit_leaves_the_names_as_they_are(image: Image, tmp_path: Path) -> None:
    image.sources({"svc/__init__.py": "", "svc/app.py": "x = 1"})
    image.sources({"svc/__init__.py": "", "svc/app.py": "x = 2222"})
    one, two = (Path(path).read_bytes() for path in image.names[-2:])
    assert one == two


# --- the start command --------------------------------------------------------------------------------


def test_modules(image: Image) -> None:
    image.wheels(
        served={"files": {"served/__init__.py": b"", "served/__main__.py": b"", "served/sub/x.py": b""}},
        native={"files": {"fast.cpython-311-x86_64-linux-gnu.so": b"", "abi.abi3.so": b"", "plain.so": b""}},
    )
    image.sources({"hello.py": "", "pkg/__init__.py": "", "pkg/app.py": ""})
    for module in ("hello", "served", "served.sub.x", "fast", "abi", "plain", "http.server", "pkg.app"):
        assert image.check(start={"module": module}) == []
    assert image.fails(start={"module": "helo"}) == (
        "the field `entry_point`: the image has no module 'helo', which the entry point names\n"
        "  -> did you mean hello?"
    )
    assert image.fails(start={"module": "absent"}) == (
        "the field `entry_point`: the image has no module 'absent', which the entry point names\n"
        "  -> add the target that owns it to the dependencies"
    )
    assert image.fails(start={"module": "pkg.main"}) == (
        "the field `entry_point`: the image has no module 'pkg.main', which the entry point names\n"
        "  -> pkg has: app"
    )
    assert image.fails(start={"module": "pkg"}) == (
        "the field `entry_point`: the entry point 'pkg' is a package without a module `__main__`: `python -m` "
        "cannot run it\n"
        '  -> add pkg/__main__.py, or name a function: "pkg:main"'
    )


@pytest.mark.parametrize(
    "source",
    [
        "def main(): ...",
        "async def main(): ...",
        "class main: ...",
        "main = print",
        "import main",
        "from x import y as main",
        "from x import *",
        "if True:\n    from x import main",
        "try:\n    import a\nexcept ImportError:\n    def main(): ...",
        "main: object = 1",
        "(a, main) = 1, 2",
        "with open('x') as main: ...",
        "def __getattr__(name): ...",
        "globals()['main'] = 1",
        "this is of a newer Python",
    ],
)
def test_functions_that_may_be_there(image: Image, source: str) -> None:
    image.sources({"hello.py": source})
    assert image.check(start={"module": "hello", "function": "main"}) == []


@pytest.mark.parametrize(
    "source",
    ["", "def other():\n    def main(): ...", "main()", "class A:\n    main = 1", "f = lambda: (main := 1)"],
)
def test_functions_that_are_not_there(image: Image, source: str) -> None:
    image.sources({"hello.py": source})
    assert image.fails(start={"module": "hello", "function": "main.run"}).startswith(
        "the field `entry_point`: the module 'hello' has no 'main', which the entry point hello:main.run calls\n"
    )


def test_a_function_with_a_similar_name_is_proposed(image: Image) -> None:
    image.sources({"hello/__init__.py": "def nofunk(): ..."})
    assert image.fails(start={"module": "hello", "function": "nofunc"}).endswith(
        "\n  -> did you mean nofunk?"
    )
    assert image.fails(start={"module": "absent", "function": "main"}).startswith(
        "the field `entry_point`: the image has no module 'absent'"
    )


def test_scripts(image: Image) -> None:
    image.wheels(
        uvicorn={
            "files": {
                "uvicorn.py": b"",
                "uvicorn-1.0.data/scripts/run.sh": b"#!/bin/bash -e\n",
                "uvicorn-1.0.data/scripts/ok": b"#!/usr/bin/python3.11\n",
                "uvicorn-1.0.data/scripts/env": b"#!/usr/bin/env python3\n",
                "uvicorn-1.0.data/scripts/odd": b"#!python3\n",
            },
            "entry_points": "[console_scripts]\nuvicorn = uvicorn:main\n",
        }
    )
    assert len(image.check(start={"script": "uvicorn"})) == 2
    assert len(image.check(start={"script": "ok"})) == 2
    assert image.fails(start={"script": "uvicor"}) == (
        "the field `script`: no distribution of the image installs the script 'uvicor'\n"
        "  -> did you mean uvicorn?"
    )
    assert image.fails(start={"script": "absent"}) == (
        "the field `script`: no distribution of the image installs the script 'absent'\n"
        "  -> there are: env, odd, ok, run.sh, uvicorn"
    )
    assert image.fails(start={"script": "run.sh"}) == (
        "the field `script`: /app/bin/run.sh starts with #!/bin/bash -e, but the image has no /bin/bash\n"
        '  -> add "bash" to the packages of the base and lock it again; or write '
        "the script in Python"
    )
    assert image.fails(start={"script": "env"}) == (
        "the field `script`: /app/bin/env starts with #!/usr/bin/env python3, but the image has no /usr/bin/env\n"
        '  -> add "coreutils" to the packages of the base and lock it again; or '
        "write the script in Python"
    )
    image.layer([Entry("usr/bin/bash", "file", 0o755), Entry("usr/bin/env", "file", 0o755)])
    assert image.check(start={"script": "run.sh"}) == []
    assert image.check(start={"script": "env"}) == []  # python3 of the environment
    image.wheels(more={"files": {"more-1.0.data/scripts/ask": b"#!/usr/bin/env -S perl -w\n"}})
    assert "but no folder of PATH has perl\n" in image.fails(start={"script": "ask"})
    assert image.check(start={"script": "ask"}, whole=False) == []


@pytest.mark.parametrize(
    "line", [b"#!/bin/sh\r\n", b"#!/bin/sh -e\r\n", b"#!/usr/bin/env python3\r\n", b"#!/app/bin/python\r"]
)
def test_a_script_with_line_ends_of_windows(image: Image, line: bytes) -> None:
    """The kernel looks for a program whose name ends with a carriage return: exit code 127, or ENOENT."""
    image.wheels(tool={"files": {"tool-1.0.data/scripts/run": line}})
    image.layer([Entry("usr/bin/sh", "file", 0o755), Entry("usr/bin/env", "file", 0o755)])
    said = f"/app/bin/run starts with {line.decode().strip()} and a carriage return, which the kernel takes as a part"
    assert image.fails(start={"script": "run"}) == (
        f"the field `script`: {said} of the name\n  -> write the script with line ends of Unix, LF instead of CRLF"
    )
    assert image.check() == [f"{said} of the name"]


def test_a_script_of_pythons_own_line_is_mended_whatever_its_end(image: Image) -> None:
    image.wheels(tool={"files": {"tool-1.0.data/scripts/run": b"#!python\r\nprint()\r\n"}})
    assert image.check(start={"script": "run"}) == []


def test_modules_with_names_beyond_ascii(image: Image) -> None:
    image.wheels(one={"files": {"модуль/__init__.py": b"", "модуль/старт.py": "пуск = 1".encode()}})
    assert image.check(start={"module": "модуль.старт"}) == []
    assert image.fails(start={"module": "модуль.стар"}) == (
        "the field `entry_point`: the image has no module 'модуль.стар', which the entry point names\n"
        "  -> did you mean старт?"
    )


def test_scripts_above_a_base_that_is_not_looked_into(image: Image) -> None:
    # The image's own layers: its Python is a link into the base.
    names = json.loads(Path(image.names[0]).read_bytes())
    names["files"] = [row for row in names["files"] if row[0].startswith("app")]
    assert [row[1] for row in names["files"] if row[0] == "app/bin/python"] == ["l"]
    Path(image.names[0]).write_text(json.dumps(names))
    image.wheels(uvicorn={"files": {"a.py": b""}, "entry_points": "[console_scripts]\nuvicorn = a:main\n"})
    assert image.check(start={"script": "uvicorn"}, whole=False) == []
    assert image.fails(start={"script": "uvicorn"}).startswith(
        "the field `script`: /app/bin/uvicorn starts with #!/app/bin/python, but the image has no /app/bin/python\n"
    )


def test_everything_that_is_wrong_is_told_at_once(image: Image) -> None:
    image.wheels(one={"files": {"x.py": b"1"}})
    image.wheels(two={"files": {"x.py": b"2"}})
    text = image.fails(start={"script": "absent"}, workdir="/etc/passwd", volumes=["/app/pyvenv.cfg"])
    assert text.startswith("4 problems:\n")
    assert "  the field `workdir`: /etc/passwd is a file of the base\n" in text


# --- what distributions require ------------------------------------------------------------------------


def test_a_distribution_without_what_its_metadata_requires(image: Image) -> None:
    requires = (
        "Two_b>=1",
        "three; python_version < '3.8'",
        "four; extra == 'x'",
        "pytz>dev",
        "colorama; sys_platform == 'win32'",
        "absent (>=1)",
    )
    image.wheels(one={"files": {"one.py": b""}, "requires": requires}, two_b={"files": {"two.py": b""}})
    assert image.fails(target=_TARGET) == (
        "one 1.0 requires absent, which the image does not have: its metadata said so only once it was built\n"
        "  -> add absent to the requirements beside one, then lock again"
    )
    image.wheels(absent={"files": {"absent.py": b""}})
    assert image.check(target=_TARGET) == []


# --- users and folders --------------------------------------------------------------------------------


def _owned(rows: list[list[Any]]) -> dict[str, tuple[int, int, int]]:
    return {path: (mode, uid, gid) for path, kind, mode, uid, gid, *_ in rows if kind == "d"}


def test_volumes_in_each_other_and_in_the_working_folder(image: Image) -> None:
    rows = image.account(
        user="0:5", workdir="/srv/work", volumes=["/srv/work/data/deep", "/srv/work/data", "/srv/work"]
    )
    owned = dict.fromkeys(("srv/work", "srv/work/data", "srv/work/data/deep"), (0o755, 0, 5))
    assert _owned(rows) == {"srv": (0o755, 0, 0), **owned}
    assert not [row for row in rows if row[0].startswith("etc")]


def test_the_user_owns_its_folders_and_nothing_changes_beside(image: Image) -> None:
    image.layer([Entry("var/local", "dir", 0o2775, 0, 50), Entry("srv/old", "dir", 0o750, 7, 7)])
    rows = image.account(
        user="nonroot",
        workdir="/state",
        volumes=["/var/local/data", "/tmp/cache", "/srv/old"],  # noqa: S108
        writable=["/app/data", "/bin/state"],
    )
    assert _owned(rows) == {
        "app": (0o755, 0, 0),
        "app/data": (0o755, 65532, 65532),
        "tmp": (0o1777, 0, 0),
        "tmp/cache": (0o755, 65532, 65532),
        "usr": (0o755, 0, 0),
        "usr/bin": (0o755, 0, 0),
        "usr/bin/state": (0o755, 65532, 65532),
        "var": (0o755, 0, 0),
        "var/local": (0o2775, 0, 50),
        "var/local/data": (0o755, 65532, 65532),
        "state": (0o755, 65532, 65532),
    }
    assert {row[0] for row in rows} == set(_owned(rows))


def test_a_folder_that_is_there_changes_hands_when_asked(image: Image) -> None:
    image.layer([Entry("srv/old", "dir", 0o750, 7, 7)])
    rows = image.account(user="1000:2000", writable=["/srv/old"], accounts=None)
    assert _owned(rows) == {"srv": (0o755, 0, 0), "srv/old": (0o755, 1000, 2000)}


def test_a_number_gets_rows_and_a_home(image: Image) -> None:
    rows = image.account(user="1000")
    assert _owned(rows)["home/app"] == (0o700, 1000, 1000)
    assert {row[0] for row in rows if row[1] == "f"} == {"etc/passwd", "etc/group"}
    assert image.check() == []


def test_what_nobody_may_write_to(image: Image) -> None:
    with pytest.raises(ImageError) as e:
        image.account(user="nonroot", writable=["/", "data", "/proc/x", "/app", "/app/lib/x"], volumes=["x"])
    assert str(e.value).startswith("6 problems:\n")
    assert (
        "the field `writable` has '/app', where the image's code is: what runs would be what somebody wrote there\n"
        '    -> name a folder beside the code, such as "/app/data", and set `workdir` to it\n'
    ) in str(e.value)


def test_a_base_of_somebody_else_keeps_usual_modes(tmp_path: Path) -> None:
    image = Image(tmp_path)
    image.names = []
    rows = image.account(user="65532:65532", volumes=["/tmp/x"], accounts=None)  # noqa: S108
    assert _owned(rows) == {"tmp": (0o1777, 0, 0), "tmp/x": (0o755, 65532, 65532)}
