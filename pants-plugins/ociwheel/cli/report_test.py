from __future__ import annotations

import errno
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jsonschema
import pytest

import ociwheel
from ociwheel.cli.main import main
from ociwheel.documents import write_whole
from ociwheel.errors import ErrorCollector, InternalError, LockError, OciwheelError, UsageError
from ociwheel.remedies import WORDS, Remedy, placeholders

SCHEMA = json.loads((Path(ociwheel.__file__).parent / "schemas/error.json").read_bytes())


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> Any:
    """Run a step that ends with a fault; return exit code, message and document."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)

    def run(fault: BaseException) -> tuple[int, str, dict[str, Any]]:
        def step(_arguments: object) -> None:
            raise fault

        module = SimpleNamespace(configure=lambda _parser: None, run=step, __doc__="")
        monkeypatch.setattr("ociwheel.cli.main.importlib.import_module", lambda _name: module)
        code = main(["plan"])
        captured = capsysbinary.readouterr()
        document = json.loads(captured.out)
        jsonschema.validate(document, SCHEMA)
        return code, captured.err.decode(), document

    return run


def test_an_error_is_a_document(ended: Any) -> None:
    error = LockError("has no hash", where="a.lock:1", hint=Remedy("relock"), details=["one\ntwo"])
    code, text, document = ended(error)
    assert (code, text) == (12, "error: a.lock:1: has no hash\n  one\n  two\n  -> lock again\n")
    assert document == {
        "schema": "ociwheel.error/1",
        "kind": "lock",
        "what": "has no hash",
        "where": "a.lock:1",
        "details": ["one", "two"],
        "remedy": {"code": "relock", "arguments": {}},
        "errors": [],
    }


_OWN = "-> where it has no TLS, or a certificate of its own: --insecure h"


@pytest.mark.parametrize(
    ("said", "inner", "outer"),
    [
        (
            '{"words": {"relock": "type `{lock}`", "trust-registry": "add {{{host}}}"}, "names": {"lock": "x lock"}}',
            "-> add {h}",
            "-> type `x lock`",
        ),
        ('{"words": {"relock": "again"}, "names": {}}', _OWN, "-> again"),
        ('{"words": {"relock": "{nothing}"}, "names": {}}', _OWN, "-> lock again"),
        ('{"words": {"relock": 1}, "names": {}}', _OWN, "-> lock again"),
        ('{"words": 1, "names": {}}', _OWN, "-> lock again"),
        ("[]", _OWN, "-> lock again"),
        ("{", _OWN, "-> lock again"),
    ],
)
def test_remedies_are_in_the_words_of_whoever_runs_the_step(  # noqa: PLR0917 (fixtures)
    ended: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, inner: str, outer: str
) -> None:
    (tmp_path / "remedies.json").write_text(said)
    monkeypatch.setenv("OCIWHEEL_REMEDIES", str(tmp_path / "remedies.json"))
    errors = [LockError("w", hint=Remedy("trust-registry", {"host": "h"}))]
    _, text, document = ended(LockError("v", hint=Remedy("relock"), errors=errors))
    assert text == f"error: v\n  w\n    {inner}\n  {outer}\n"
    assert document["remedy"] == {"code": "relock", "arguments": {}}


@pytest.mark.parametrize("joined", [False, True])
def test_a_path_of_an_argument_that_is_none_is_an_error_of_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], joined: bool
) -> None:
    target = {
        "schema": "ociwheel.target/1",
        "platform": "linux/amd64",
        "python": "3.11.2",
        "libc": "glibc",
        "libc_version": "2.36",
    }
    (tmp_path / "target.json").write_text(json.dumps(target))
    (tmp_path / "a.whl").write_text("")

    def wheel_layer(wheels: str) -> str:
        given = ["--wheels=" + wheels] if joined else ["--wheels", wheels]
        paths = ["--target", str(tmp_path / "target.json"), "--output", str(tmp_path / "out")]
        assert (
            main(["wheel-layer", *given, *paths, "--title", "t", "--prefix", "/app"]) == UsageError.exit_code
        )
        return capsys.readouterr().err

    assert wheel_layer(f"{tmp_path}/a.whl") == f"error: {tmp_path}/a.whl: it is no folder\n"
    assert wheel_layer(f"{tmp_path}/b/") == f"error: {tmp_path}/b: there is no such file or folder\n"


def test_a_path_of_the_step_itself_is_none_of_usage(ended: Any) -> None:
    code, text, _ = ended(FileNotFoundError(errno.ENOENT, "No such file", "made-up"))
    assert code == InternalError.exit_code
    assert "internal error" in text


def test_several_errors_are_one_document(ended: Any) -> None:
    errors = ErrorCollector()
    for number in range(50):
        errors.add(LockError("x", where=str(number), hint="y" if number else None))
    with pytest.raises(LockError) as caught:
        errors.raise_if_any()
    _, text, document = ended(caught.value)
    assert len(document["errors"]) == 12
    assert document["errors"][1]["remedy"] == {"code": "text", "arguments": {"text": "y"}}
    assert text.splitlines()[:4] == ["error: 50 problems:", "  0: x", "  1: x", "    -> y"]
    assert text.splitlines()[-1] == "  … and 38 more"


def test_a_message_has_few_lines_whatever_it_gathers(ended: Any) -> None:
    inner = LockError("x", details=["y"] * 100, hint="z", errors=[LockError("w")] * 100)
    _, text, document = ended(
        LockError("v", details=["u"] * 100, hint=Remedy("relock"), errors=[inner] * 100)
    )
    assert len(document["errors"]) == len(document["errors"][0]["errors"]) == 12
    lines = text.splitlines()
    assert len(lines) == 40
    assert lines[-2].startswith("  … and ")
    assert lines[-1] == "  -> lock again"


@pytest.mark.parametrize("kind", OciwheelError.__subclasses__())
def test_each_kind_of_error_has_a_code_and_a_name_of_its_own(kind: type[OciwheelError], ended: Any) -> None:
    code, _, document = ended(kind("x"))
    others = [c for c in OciwheelError.__subclasses__() if c is not kind]
    assert code not in {c.exit_code for c in others} | {0, 1, 2, 130}
    assert document["kind"] not in {c.kind for c in others}


def test_what_others_wrote_cannot_forge_a_message(ended: Any) -> None:
    hostile = "x\nerror: all is well\x1b[2J\u202e" + "y" * 100_000
    _, text, document = ended(LockError(hostile, where=hostile, hint=hostile, details=[hostile] * 300))
    assert text.count("\nerror: ") == 0
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert max(map(len, text.splitlines())) <= 500
    assert document["details"][-1] == "… and 564 more lines"


def test_a_fault_that_nobody_foresaw_says_where_its_trace_is(ended: Any, tmp_path: Path) -> None:
    code, text, document = ended(KeyError("x" * 1000))
    assert code == 23
    lines = text.splitlines()
    assert lines[0] == (
        "error: internal error: the step plan met something that nobody foresaw: KeyError at "
        f"ociwheel/cli/report_test.py:{re.search(r':([0-9]+)$', lines[0])[1]}"  # type: ignore[index]
    )
    assert lines[1].startswith("  KeyError: 'xxx")
    path = Path(lines[2].removeprefix("  the trace is in "))
    assert path.parent == tmp_path
    assert "Traceback (most recent call last)" in path.read_text()
    assert lines[3] == "  -> please report it, with these lines and the file"
    assert len(lines) == 4
    assert document["kind"] == "internal"


@pytest.mark.parametrize(
    ("fault", "code", "expected"),
    [
        (MemoryError(), 22, "the step plan got no more memory"),
        (OSError(errno.ENOSPC, "No space", "/out/x"), 22, "/out/x: no space is left on the disk"),
        (
            OSError(errno.ENAMETOOLONG, "x", "a" * 5000),
            22,
            "the name of a file is longer than this machine takes",
        ),
        (PermissionError(errno.EACCES, "x", "/out"), 22, "/out: this user may not read or write it"),
        (RecursionError("x"), 23, "an input that is nested more deeply than it can follow: RecursionError"),
        (ModuleNotFoundError("x", name="packaging"), 20, "the library 'packaging' is not there"),
        (UnicodeEncodeError("utf-8", "\ud800", 0, 1, "x"), 23, "UnicodeEncodeError"),
    ],
)
def test_faults_of_the_machine_have_words_of_their_own(
    ended: Any, fault: Exception, code: int, expected: str
) -> None:
    found, text, _ = ended(fault)
    assert found == code
    assert expected in text
    assert "Traceback" not in text


def test_every_remedy_has_the_arguments_that_its_words_need() -> None:
    for code, words in WORDS.items():
        names = placeholders(words)
        assert Remedy(code, dict.fromkeys(names, "x")).render()
        with pytest.raises(ValueError, match=code):
            Remedy(code, {**dict.fromkeys(names, "x"), "more": "y"})


def test_a_process_that_is_killed_leaves_no_half_of_a_file(tmp_path: Path) -> None:
    """The file is the old one or the new one, whenever the process ends."""
    file = tmp_path / "a.lock"
    write_whole(file, b"old")
    program = (
        "import sys; from pathlib import Path; from ociwheel.documents import write_whole\n"
        "while True:\n    for c in b'ab': write_whole(Path(sys.argv[1]), bytes([c]) * 2_000_000)"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen([sys.executable, "-c", program, str(file)], env=env)
    while file.read_bytes()[:3] == b"old":
        assert process.poll() is None
        time.sleep(0.01)
    for _ in range(20):
        data = file.read_bytes()
        assert len(data) == 2_000_000
        assert len(set(data)) == 1
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert len(file.read_bytes()) == 2_000_000


def test_where_standard_output_is_somebody_else_s_an_error_is_a_message_alone(
    monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes], tmp_path: Path
) -> None:
    monkeypatch.setenv("OCIWHEEL_ERRORS", "text")
    assert main(["lock-entries", "--lockfile", str(tmp_path / "none"), "--label", "a.lock"]) == 12
    out, err = capsysbinary.readouterr()
    assert out == b""
    assert err.startswith(b"error: a.lock: cannot read it: No such file or directory\n")
