"""Documents that are made to do harm, through the command line: a short message, in bounded time and memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import ociwheel
from tests.support.debian import Mirror, SigningKey, signing_key
from tests.support.limited import MEMORY_BYTES, MEMORY_RATIO, SECONDS, Ended, run_limited

SCHEMA = json.loads((Path(ociwheel.__file__).parent / "schemas/error.json").read_bytes())
INPUTS = Path(__file__).parents[3] / "tests/fuzz/inputs"
A = "a" * 64
ROW: dict[str, Any] = {"sdist": "demo==1.0", "sha256": A, "python": "3.11", "pins": ["setuptools==65"]}
FILE: dict[str, Any] = {"filename": "setuptools-65-py3-none-any.whl", "sha256": A}
LOCK: dict[str, Any] = {
    "schema": "ociwheel.build-lock/1",
    "environments": [ROW],
    "files": {"setuptools==65": [FILE]},
}
PYLOCK = f"""lock-version = "1.0"
created-by = "x"
[[packages]]
name = "demo"
version = "1.0"
sdist = {{ name = "demo-1.0.tar.gz", url = "https://x/y", size = 5, hashes = {{ sha256 = "{A}" }} }}
"""
PINNED = f"--hash=sha256:{A}\n"


def _pex(**changes: Any) -> str:
    artifact = {"url": "https://h/demo-1.0-py3-none-any.whl", "algorithm": "sha256", "hash": A}
    good = {"project_name": "demo", "version": "1.0", "requires_dists": [], "artifacts": [artifact]}
    return json.dumps({"locked_resolves": [{"locked_requirements": [{**good, **changes}]}]})


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> int:
    """Return the bytes of memory that a step takes over a good lock."""
    folder = tmp_path_factory.mktemp("usual")
    (folder / "a.lock").write_text(_pex())
    done = run_limited("lock-entries", "--lockfile", str(folder / "a.lock"), folder=folder)
    assert done.code == 0, done.message
    return done.memory


def check(done: Ended, code: int, size: int, usual: int, folder: Path) -> str:
    """Check what every refusal must be, and return the message without the folder's name."""
    assert done.code == code, done.message[-2000:]
    jsonschema.validate(done.document, SCHEMA)
    lines = done.message.splitlines()
    assert len(lines) <= 40
    assert all(len(line) <= 500 and line.isprintable() for line in lines)
    assert done.seconds < SECONDS
    assert done.memory - usual < MEMORY_BYTES + MEMORY_RATIO * size
    assert "Traceback" not in done.message
    return done.message.replace(f"{folder}/", "").removeprefix("error: ")


BUILD_LOCKS = {
    "a list that is null": ({**LOCK, "environments": None}, "environments: expected a list, found null"),
    "no list": ({"schema": LOCK["schema"]}, "environments: is missing"),
    "pins that are no list": (
        {**LOCK, "environments": [{**ROW, "pins": True}]},
        "environments[0].pins: expected a list, found true",
    ),
    "a Python that is a list": (
        {**LOCK, "environments": [{**ROW, "python": [3]}]},
        "environments[0].python: expected a minor version such as 3.11, found a list",
    ),
    "a Python of many digits": (
        {**LOCK, "environments": [{**ROW, "python": "3." + "1" * 5000}]},
        "environments[0].python: expected a minor version such as 3.11, found '3.111",
    ),
    "a row that is no object": (
        {**LOCK, "environments": [ROW, 7]},
        "environments[1]: expected an object, found a number",
    ),
    "files that are a list": ({**LOCK, "files": []}, "files: expected an object, found a list"),
    "files of a pin that are null": (
        {**LOCK, "files": {"setuptools==65": None}},
        "files['setuptools==65']: expected a list, found null",
    ),
    "a file that is null": (
        {**LOCK, "files": {"setuptools==65": [None]}},
        "files['setuptools==65'][0]: expected an object, found null",
    ),
    "a file outside": (
        {**LOCK, "files": {"setuptools==65": [{**FILE, "filename": "../../x.whl"}]}},
        "files['setuptools==65'][0].filename: expected the name of a wheel, found '../../x.whl'",
    ),
    "a pin that is an option": (
        {**LOCK, "environments": [{**ROW, "pins": ["--index-url=https://evil"]}]},
        "environments[0].pins[0]: expected name==version, found '--index-url=https://evil'",
    ),
    "a crate without a hash": (
        {**LOCK, "environments": [{**ROW, "crates": ["serde 1.0"]}]},
        "environments: [0] names serde 1.0, which `crates` has not",
    ),
    "a crate elsewhere": (
        {**LOCK, "crates": {"../x 1": "a" * 64}},
        "crates['../x 1']: expected a crate's name and version, found '../x 1'",
    ),
    "another schema": ({"schema": 7}, "expected a ociwheel.build-lock/1 document, found a number"),
}


@pytest.mark.parametrize("name", BUILD_LOCKS)
def test_build_locks(name: str, tmp_path: Path, usual: int) -> None:
    value, expected = BUILD_LOCKS[name]
    message = build_lock(json.dumps(value).encode(), tmp_path, usual)
    assert message.startswith(f"x.build.lock: {expected}")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("locks-01", "environments: expected a list, found null"),
        ("locks-02", "environments: is missing"),
        ("locks-03", "environments[0].pins: expected a list, found an object"),
        ("locks-04", "environments[0].python: expected a minor version such as 3.11, found a list"),
        ("locks-05", "files: expected an object, found a list"),
        ("locks-07", "files['setuptools==65'][0]: expected an object, found null"),
    ],
)
def test_build_locks_that_were_found(name: str, expected: str, tmp_path: Path, usual: int) -> None:
    data = (INPUTS / f"{name}.build.lock").read_bytes()
    assert build_lock(data, tmp_path, usual) == f"x.build.lock: {expected}\n"


def build_lock(data: bytes, folder: Path, usual: int) -> str:
    """Lock with a build lock so far, and return the message."""
    (folder / "x.build.lock").write_bytes(data)
    (folder / "request.json").write_text('{"environments": [], "files": {}, "pythons": []}')
    done = run_limited(
        *("build-lock", "--request", str(folder / "request.json")),
        *("--previous", str(folder / "x.build.lock"), "--output", str(folder / "out.lock")),
        folder=folder,
    )
    assert not (folder / "out.lock").exists()
    return check(done, 12, len(data), usual, folder)


LOCKFILES: dict[str, tuple[str | bytes, str]] = {
    "locks-06": (
        (INPUTS / "locks-06.lock").read_bytes(),
        "is not TOML: it has a number or a date that cannot be read",
    ),
    "digits in TOML": (
        f"{PYLOCK}x = {'1' * 5000}\n",
        "is not TOML: it has a number or a date that cannot be read",
    ),
    "digits in a version": (
        PYLOCK.replace('"1.0"\nsdist', f'"{"1" * 5000}"\nsdist'),
        "is no valid pylock.toml: ",
    ),
    "a deep list in TOML": (f"{PYLOCK}x = {'[' * 200_000}", "is nested too deeply"),
    "a long key in TOML": (
        "lock-version = '1'\n" + "a." * 400_000 + "b = 1",
        "has a key of more than 32 parts in ",
    ),
    "a deep marker": (
        PYLOCK + f"marker = \"{'(' * 5000}os_name == 'x'{')' * 5000}\"\n",
        "is no valid pylock.toml: ",
    ),
    "a deep list in JSON": ('{"a":' + "[" * 300_000, "is nested too deeply"),
    "a number that is none": ('{"a": NaN}', "has NaN, which is no number of JSON"),
    "digits in JSON": ('{"a": ' + "1" * 5000 + "}", "has a number of 5000 digits; at most 60 make sense"),
    "a key twice": ('{"locked_resolves": [], "locked_resolves": []}', "has the key 'locked_resolves' twice"),
    "half of a character": (_pex(version="\ud800"), "has half of a character (a lone surrogate)"),
    "many small values": (
        '{"a": [' + "[]," * 300_000 + "[]]}",
        "locked_resolves: is missing (read as a Pex lock)",
    ),
    "artifacts that are text": (
        _pex(artifacts="x"),
        "locked_resolves[0].locked_requirements[0].artifacts: expected a list, found 'x' (read as a Pex lock)",
    ),
    "a hash that is a number": (
        _pex(artifacts=[{"url": "https://h/demo-1.0-py3-none-any.whl", "algorithm": "sha256", "hash": 1}]),
        "locked_resolves[0].locked_requirements[0].artifacts[0].hash: expected a text, found a number",
    ),
    "spaces": (f"a==1{' ' * 200_000}x {PINNED}", "1: is no requirement: a==1 (it has 200005 characters)"),
    "spaces before a comment": (f"a==1{' ' * 300_000}\n", "1: has no hash: a==1"),
    "dashes": (f"a==1{' -' * 100_000} {PINNED}", "1: is no requirement: a==1 - - -"),
    "parentheses": (f"a==1; {'(' * 4000} {PINNED}", "1: is no requirement: a==1; (((("),
    "a long requirement": (f"a=={'1.' * 200_000}1 {PINNED}", "1: is no requirement: a==1.1.1"),
    "many lines without hashes": ("a==1\n" * 100_000, "at least 100 problems:"),
    "continuations": ("a==1 \\\n" * 100_000, "1: is no requirement: a==1 a==1"),
    "a terminal's words": ("a\x1b[2J==1\u202e\n", "1: is no requirement: a==1\\u202e"),
    "bytes": (b"\xff\xfe\x00", "is not UTF-8 text"),
}


@pytest.mark.parametrize("name", LOCKFILES)
def test_lockfiles(name: str, tmp_path: Path, usual: int) -> None:
    text, expected = LOCKFILES[name]
    data = text if isinstance(text, bytes) else text.encode(errors="surrogatepass")
    (tmp_path / "a.lock").write_bytes(data)
    done = run_limited(
        "lock-entries", "--lockfile", str(tmp_path / "a.lock"), "--label", "a.lock", folder=tmp_path
    )
    message = check(done, 12, len(data), usual, tmp_path)
    places = (f"a.lock: {expected}", f"a.lock:{expected}", expected)
    assert message.startswith(places), message[:500]


@pytest.fixture(scope="module")
def key() -> Iterator[SigningKey]:
    with signing_key() as made:
        yield made


PACKAGE = f"""Package: python3.11
Version: 3.11.2-6
Architecture: amd64
Depends: libc6
Filename: a.deb
Size: 1
SHA256: {A}
"""
OTHERS = [
    f"Package: {name}\nVersion: 1\nArchitecture: amd64\nFilename: {name}.deb\nSize: 1\nSHA256: {A}\n"
    for name in ("libc6", "libc6-dev", "libgcc-12-dev", "libpython3.11-dev", "libstdc++-12-dev", "libstdc++6")
]
OTHERS.append(OTHERS[0].replace("libc6", "gcc") + "Depends: gcc-12\n")
INDEXES: dict[str, tuple[dict[str, str], Callable[[str], str], str]] = {
    "a date of many digits": (
        {"Valid-Until": f"Sat, 01 Nov 2036 10:00:0{'9' * 99}"},
        str,
        "InRelease: Valid-Until: expected a date, found 'Sat, 01 Nov 2036 10:00:09",
    ),
    "packages-01": (
        {"Valid-Until": (INPUTS / "packages-01.Release").read_text().rpartition("Valid-Until: ")[2].strip()},
        str,
        "InRelease: Valid-Until: expected a date, found 'Sat, 01 Nov 2036 10:00:09",
    ),
    "packages-02": (
        {},
        lambda _: (INPUTS / "packages-02.Packages").read_text(),
        "package python3.11: the package index gives the size '1999",
    ),
    "an offset of many digits": (
        {"Valid-Until": "Sat, 01 Nov 2036 10:00:00 +9999999999999"},
        str,
        "InRelease: Valid-Until: expected a date, found 'Sat, 01 Nov 2036 10:00:00 +9999999999999'",
    ),
    "a size of many digits": (
        {},
        lambda text: text.replace("Size: 1", f"Size: {'9' * 5000}"),
        "package python3.11: the package index gives the size '9999",
    ),
    "a version of many digits": (
        {},
        lambda text: text.replace("3.11.2-6", "1" * 5000),
        "1111",
    ),
    "a path that leads out": (
        {},
        lambda text: text.replace("Filename: a.deb", "Filename: ../../a.deb"),
        "package python3.11: the package index gives the path '../../a.deb'",
    ),
    "a paragraph that is none": (
        {},
        lambda _: "x" * 900_000,
        "a paragraph of the package index starts with 'xxx",
    ),
    "a relation of spaces": (
        {},
        lambda text: f"{text}Depends: a (>= 1{' ' * 200_000}x\n",
        "package python3.11, Depends: 'a (>= 1",
    ),
}


@pytest.mark.parametrize("name", INDEXES)
def test_indexes_of_a_mirror(name: str, tmp_path: Path, key: SigningKey, usual: int) -> None:
    fields, change, expected = INDEXES[name]
    mirror = Mirror(tmp_path / "mirror", key)
    mirror.extra.update(fields)
    text = change(PACKAGE)
    mirror.publish("tiny", {"amd64": [*OTHERS, text], "arm64": [*OTHERS, text]})
    request = {"suites": ["tiny"], "packages": [], "platforms": ["linux/amd64"], "python": "3.11"}
    (tmp_path / "request.json").write_text(json.dumps(request))
    (tmp_path / "network.json").write_text(json.dumps({"debian_mirrors": {"debian": [mirror.url]}}))
    done = run_limited(
        *("debian-lock", "--request", str(tmp_path / "request.json"), "--output", str(tmp_path / "out.lock")),
        *("--keyring", str(key.keyring)),
        folder=tmp_path,
        OCIWHEEL_MACHINE=str(tmp_path),
    )
    message = check(done, 17, len(text), usual, tmp_path)
    assert expected in message, message[:1000]
    assert not (tmp_path / "out.lock").exists()
