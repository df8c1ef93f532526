"""What a program does inside an image that `./pants package` made: run as the image's user, in the image's root."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.chrooted import Inside, unpacked
from tests.integration.repository import BASE, Caches, make_repository, stopped

pytestmark = pytest.mark.slow

APP = """\
import ctypes
import ctypes.util
import os
import pathlib
import shutil
import sqlite3
import sys
import zipfile


def database():
    with sqlite3.connect("/data/app.db") as connection:
        connection.execute("create table words (word)")
        connection.execute("insert into words values ('written')")
        print(*connection.execute("select word from words").fetchone())


def relative():
    pathlib.Path("note.txt").write_text("written")
    print(pathlib.Path("/srv/work/note.txt").read_text())


def home():
    pathlib.Path.home().joinpath(".netrc").write_text("written")
    print(os.getuid(), pathlib.Path.home().stat().st_uid)


def archive():
    package = pathlib.Path(ctypes.__file__).parent
    shutil.make_archive("/data/ctypes", "zip", package)
    with zipfile.ZipFile("/data/ours.zip", "w") as made:
        made.write(__file__)
    print(zipfile.ZipFile("/data/ctypes.zip").testzip(), zipfile.ZipFile("/data/ours.zip").testzip())


def libraries():
    for name in ("c", "z", "sqlite3"):
        found = ctypes.util.find_library(name)
        print(found, bool(ctypes.CDLL(found)))


if __name__ == "__main__":
    globals()[sys.argv[1]]()
"""
BUILD = f"""\
python_sources(name="lib")
slim_python_image(
    name="image",
    entry_point="app.py",
    dependencies=[":lib"],
    workdir="/srv/work",
    volumes=["/data"],
    base="{BASE}",
    platforms=["linux/amd64"],
)
"""


@pytest.fixture(scope="module")
def inside(tmp_path_factory: pytest.TempPathFactory, plugin: Path, caches: Caches) -> Iterator[Inside]:
    folder = tmp_path_factory.mktemp("inside")
    with stopped(make_repository(folder / "repository", caches, plugin=plugin)) as made:
        made.write("src/app/app.py", APP)
        made.write("src/app/BUILD", BUILD)
        made.package("src/app:image")
        yield unpacked(made.layout("src.app/image"), folder / "root")


def test_the_user_is_a_number(inside: Inside) -> None:
    # Kubernetes' runAsNonRoot refuses a name.
    assert inside.config["User"] == "65532:65532"


def test_sqlite_writes_to_a_volume(inside: Inside) -> None:
    assert inside.run("database") == "written\n"


def test_the_working_folder_is_the_users(inside: Inside) -> None:
    assert inside.run("relative") == "written\n"


def test_the_user_has_a_home(inside: Inside) -> None:
    assert inside.run("home") == "65532 65532\n"


def test_files_of_the_image_go_into_archives(inside: Inside) -> None:
    assert inside.run("archive") == "None None\n"


def test_libraries_are_found_by_name(inside: Inside) -> None:
    assert inside.run("libraries") == "libc.so.6 True\nlibz.so.1 True\nlibsqlite3.so.0 True\n"
