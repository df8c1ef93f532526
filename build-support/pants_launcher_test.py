from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pants_launcher as launcher
import pytest

LOCK = """\
pantsbuild-pants==2.17.1 \\
    --hash=sha256:aa \\
    --hash=sha256:bb
    # via -r requirements.txt
pex==2.1.137 \\
    --hash=sha256:cc
    # via pantsbuild-pants
"""

_WALK_OF_ANOTHER_FILE_SYSTEM = """\
def other(*arguments, **options):
    for folder, folders, files in plain(*arguments, **options):
        folders.sort(reverse=backwards)
        files.sort(reverse=backwards)
        yield folder, folders, files


os.walk = other
"""


def test_the_version_comes_from_pants_toml() -> None:
    assert launcher.pants_version('[GLOBAL]\npants_version = "2.17.1"  # newest\n') == "2.17.1"


@pytest.mark.parametrize(
    ("text", "message"),
    [("[GLOBAL]\n", "pants.toml has no pants_version"), ('pants_version = "../x"', "is no version")],
)
def test_no_version_is_an_error(text: str, message: str) -> None:
    with pytest.raises(launcher.LaunchError, match=message):
        launcher.pants_version(text)


def test_an_entry_of_the_lock_has_its_hashes() -> None:
    assert launcher.lock_entry(LOCK, "pex") == ("2.1.137", "pex==2.1.137 \\\n    --hash=sha256:cc\n")
    assert launcher.lock_entry(LOCK, "pe") is None


def test_the_lock_of_the_repository_pins_what_pants_toml_names() -> None:
    root = Path(__file__).parent.parent
    lock = (root / launcher.PANTS_LOCK).read_text()
    version, _ = launcher.lock_entry(lock, "pantsbuild-pants") or ("", "")
    assert version == launcher.pants_version((root / "pants.toml").read_text())
    assert (launcher.lock_entry(lock, "pex") or ("",))[0] == launcher.PEX_VERSION


def test_another_version_than_the_locked_one_names_the_relock_command(tmp_path: Path) -> None:
    (tmp_path / "3rdparty/pants").mkdir(parents=True)
    (tmp_path / launcher.PANTS_LOCK).write_text(LOCK)
    with pytest.raises(launcher.LaunchError) as error:
        launcher.prepare_pants(tmp_path, tmp_path / "cache", "2.18.0")
    assert str(error.value) == (
        "Pants 2.18.0 is wanted, 3rdparty/pants/pants.lock pins 2.17.1.\n"
        "  -> after a change of pants_version in pants.toml, lock again: build-support/relock.sh pants"
    )


@pytest.mark.parametrize(
    ("version", "found"), [("2.17.1", True), ("2.16.0", True), ("2.18.0", False), ("2.34.0.dev3", False)]
)
def test_versions_that_indexes_have(version: str, found: bool) -> None:
    assert launcher.is_indexed(version) is found


def test_later_versions_are_left_to_pants_own_launcher(tmp_path: Path) -> None:
    """What runs then is the other `pants`, with the arguments of this one and pip's index."""
    root = tmp_path / "repository"
    (root / "build-support").mkdir(parents=True)
    for name in ("pants", "build-support/pants_launcher.py", "build-support/pants_server.py"):
        shutil.copy(Path(__file__).parents[1] / name, root / name)
    (root / "pants.toml").write_text('[GLOBAL]\npants_version = "2.33.0"\n')
    own = tmp_path / "bin" / "pants"
    own.parent.mkdir()
    own.write_text('#!/bin/sh\necho "$@" "$PANTS_PYTHON_REPOS_INDEXES"\n')
    env = {
        "HOME": str(tmp_path),
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_INDEX_URL": "https://pypi.example/simple",
    }
    env["PATH"] = os.pathsep.join([str(root), str(own.parent), "/usr/bin", "/bin"])
    command = [sys.executable, "-I", str(root / "build-support/pants_launcher.py"), str(root), "list", "::"]

    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == (
        "./pants: Pants 2.33.0 is on no package index, 2.17 is the newest there, and Pants's own launcher, "
        "`pants`, is not on the PATH.\n"
        "  -> install it (https://www.pantsbuild.org, Installing Pants), or set pants_version in pants.toml\n"
    )

    own.chmod(0o755)
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    assert done.stdout == "list :: ['https://pypi.example/simple']\n"


def test_the_cache_is_where_the_user_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert launcher.cache_root({}) == tmp_path / ".cache" / launcher.CACHE_NAME
    assert launcher.cache_root({"XDG_CACHE_HOME": "/x"}) == Path("/x") / launcher.CACHE_NAME
    assert launcher.cache_root({"XDG_CACHE_HOME": "relative"}) == tmp_path / ".cache" / launcher.CACHE_NAME
    chosen = {"XDG_CACHE_HOME": "/x", "PANTS_SETUP_CACHE": "/y"}
    assert launcher.cache_root(chosen) == Path("/y") / launcher.CACHE_NAME


def test_a_half_made_environment_is_not_taken(tmp_path: Path) -> None:
    python = tmp_path / "venv-1" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    assert launcher.finished_venv(tmp_path) is None
    launcher.write_whole(tmp_path / "current", "venv-1\n")
    assert launcher.finished_venv(tmp_path) == tmp_path / "venv-1"


def test_an_environment_whose_interpreter_has_gone_is_not_taken(tmp_path: Path) -> None:
    (tmp_path / "venv-1" / "bin").mkdir(parents=True)
    (tmp_path / "venv-1" / "bin" / "python").symlink_to(tmp_path / "gone")
    launcher.write_whole(tmp_path / "current", "venv-1\n")
    assert launcher.finished_venv(tmp_path) is None


@pytest.mark.parametrize("name", ["", "..", "../x", "/etc"])
def test_a_damaged_marker_names_nothing(tmp_path: Path, name: str) -> None:
    launcher.write_whole(tmp_path / "current", name)
    assert launcher.finished_venv(tmp_path) is None


def test_the_second_of_two_starts_waits(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    order = []

    def second() -> None:
        with launcher.locked(tmp_path, "Pants"):
            order.append("second")

    with launcher.locked(tmp_path, "Pants"):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(0.2)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]
    assert "another start prepares Pants, waiting" in capfd.readouterr().err


def test_a_wrong_checksum_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(args: list[str], purpose: str) -> None:
        if purpose == "Building the pex tool":
            Path(args[args.index("-o") + 1]).write_bytes(b"something else")

    monkeypatch.setattr(launcher, "run", run)
    output = tmp_path / "cache" / "pex" / launcher.PEX_SHA256 / "pex"
    output.parent.mkdir(parents=True)
    with pytest.raises(launcher.LaunchError, match="another checksum than expected") as error:
        launcher.make_pex(tmp_path / "venv", "", output)
    assert f"rm -rf {tmp_path / 'cache'}" in str(error.value)
    assert not output.exists()


def test_the_pex_tool_does_not_depend_on_how_folders_list_their_files(tmp_path: Path) -> None:
    module = tmp_path / "pex/bin/pex.py"
    module.parent.mkdir(parents=True)
    module.write_text("import os\ndef main():\n    print(*list(os.walk('tree')))\n")
    for name in ("tree/b/one", "tree/b/two", "tree/a/one", "tree/z", "tree/m"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()

    def listed(backwards: bool) -> str:
        walk = f"import os\nplain = os.walk\nbackwards = {backwards}\n{_WALK_OF_ANOTHER_FILE_SYSTEM}"
        code = walk + launcher.PEX_IN_ORDER
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, stdout=subprocess.PIPE, check=True, text=True
        )
        return done.stdout

    assert listed(backwards=True) == listed(backwards=False)


def test_a_failed_command_is_shown(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(launcher.LaunchError, match="Trying failed with exit code 3"):
        launcher.run([sys.executable, "-c", "print('why'); raise SystemExit(3)"], "Trying")
    output = capfd.readouterr()
    assert (output.out, output.err) == ("", "why\n")


def test_pip_settings_later_ones_win(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "config/pip").mkdir(parents=True)
    (tmp_path / "config/pip/pip.conf").write_text(
        "[global]\nindex-url = https://user.example/simple\ncert = /c\n"
    )
    (tmp_path / "pip.conf").write_text("[install]\nindex_url = https://site.example/simple\n")
    env = {"XDG_CONFIG_HOME": str(tmp_path / "config"), "PIP_FIND_LINKS": "/links"}
    settings = launcher.pip_settings(env, tmp_path)
    assert settings["index-url"] == "https://site.example/simple"
    assert (settings["cert"], settings["find-links"]) == ("/c", "/links")
    assert launcher.pip_settings({"PIP_CONFIG_FILE": os.devnull}, tmp_path) == {"config-file": os.devnull}


def test_further_indexes_are_added_to_the_usual_one() -> None:
    settings = {"extra-index-url": "https://b.example/simple\nhttps://c.example/simple"}
    added = "+['https://b.example/simple', 'https://c.example/simple']"
    assert launcher.network_options(settings, {}) == {"PANTS_PYTHON_REPOS_INDEXES": added}
    assert launcher.network_options({**settings, "no-index": "1"}, {}) == {"PANTS_PYTHON_REPOS_INDEXES": "[]"}


@pytest.mark.parametrize(
    ("config", "own"),
    [
        ('[python-repos]\nindexes = ["https://own.example/simple"]\n', ["https://own.example/simple"]),
        ('[x]\ny = 1\n[python-repos] # ours\nindexes.add = [\n  "https://own",\n]\n', ["https://own"]),
        ("[python-repos]\nindexes = {add = ['https://own'], remove = ['https://gone']}\n", ["https://own"]),
        ('[python-repos]\nindexes.remove = ["https://gone"]\n', []),
        ('[python-repos]\nindexes = ["https://first", "https://own"]\n', ["https://first", "https://own"]),
        ('[python-repos]\nfind_links = ["x"]\n[other]\nindexes = ["https://own"]\n', []),
        ("", []),
    ],
)
def test_the_indexes_of_the_repository_stay(config: str, own: list[str]) -> None:
    found = launcher.network_options({"index-url": "https://a"}, {}, config)
    assert found == {"PANTS_PYTHON_REPOS_INDEXES": repr(["https://a", *own])}


def test_nothing_configured_sets_nothing() -> None:
    assert launcher.network_options({}, {}) == {}


def test_what_pip_uses_pants_uses(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").touch()
    settings = {
        "index-url": "https://a.example/simple",
        "extra-index-url": "https://b.example/simple",
        "find-links": "/links",
        "cert": str(tmp_path / "ca.pem"),
    }
    assert launcher.network_options(settings, {}) == {
        "PANTS_PYTHON_REPOS_INDEXES": "['https://a.example/simple', 'https://b.example/simple']",
        "PANTS_PYTHON_REPOS_FIND_LINKS": "+['/links']",
        "PANTS_CA_CERTS_PATH": str(tmp_path / "ca.pem"),
    }
    assert "PANTS_CA_CERTS_PATH" not in launcher.network_options(settings, {"PANTS_CA_CERTS_PATH": "/own"})


def test_the_address_of_the_pex_tool_survives_pants_template() -> None:
    options = launcher.pex_options(Path("/a {b}/pex"))
    assert (
        options["PANTS_PEX_CLI_URL_TEMPLATE"].format(version="", platform="") == Path("/a {b}/pex").as_uri()
    )


def _venv(folder: Path, *, client: bool = True) -> Path:
    """Make an environment whose Pants tells how it was started."""
    package = folder / "lib/python3.9/site-packages/pants"
    for module in ("bin", "init"):
        (package / module).mkdir(parents=True)
    (folder / "bin").mkdir()
    python = folder / "bin/python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH={package.parent} exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    for name, text in {
        "version": 'VERSION = "2.17.1"',
        "bin/pants_loader": "import sys\n\ndef main():\n    print('became Pants', *sys.argv[1:])",
        "init/options_initializer": "create_bootstrap_scheduler = None",
        "init/plugin_resolver": "class PluginResolver:\n    _resolve_plugins = None",
    }.items():
        (package / f"{name}.py").write_text(f"{text}\n")
    if client:
        (package / "bin/native_client").write_text('#!/bin/sh\nexec "$_PANTS_SERVER_EXE" "$@"\n')
        (package / "bin/native_client").chmod(0o644)  # as pip leaves it
    return folder


@pytest.mark.parametrize("client", [True, False])
def test_the_native_client_starts_pants_if_there_is_one(tmp_path: Path, *, client: bool) -> None:
    # Not in tmp_path, whose name is too long for a program's first line.
    with tempfile.TemporaryDirectory() as folder:
        venv = _venv(Path(folder), client=client)
        command, env = launcher.pants_command(venv)
        assert Path(command[0]).name == ("native_client" if client else "python")
        assert bool(env) == client
        result = subprocess.run([*command, "list", "::"], env=env, capture_output=True, text=True, check=True)
        assert result.stdout == "became Pants list ::\n"
        assert launcher.pants_command(venv) == (command, env)


def test_a_launcher_alone_starts_pants_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launcher, "__file__", str(tmp_path / "pants_launcher.py"))
    assert launcher.server_script(tmp_path / "venv") == tmp_path / "venv/bin/pants"


def test_a_path_too_long_for_a_first_line_starts_python(tmp_path: Path) -> None:
    venv = _venv(tmp_path / ("x" * launcher.LONGEST_PATH))
    command, env = launcher.pants_command(venv)
    assert (command[0], env) == (str(venv / "bin/python"), {})


def test_the_interpreter_is_remembered(tmp_path: Path) -> None:
    link = tmp_path / "python"
    launcher.remember_python(tmp_path, {"PANTS_PYTHON": "/chosen/for/once"})
    assert not link.exists()
    launcher.remember_python(tmp_path, {})
    assert os.readlink(link) == sys.executable
    link.unlink()
    link.symlink_to(tmp_path / "gone")
    launcher.remember_python(tmp_path, {})
    assert os.readlink(link) == sys.executable
    assert sorted(tmp_path.iterdir()) == [link]


@pytest.mark.parametrize("version", ["3, 9", "3, 12"])
def test_the_remembered_interpreter_is_taken_if_it_fits(tmp_path: Path, version: str) -> None:
    folder = tmp_path / ".cache/slim-python-image"
    folder.mkdir(parents=True)
    known = tmp_path / "known"
    known.write_text(
        f'#!/bin/sh\ncase "$*" in *version_info*) exec {shlex.quote(sys.executable)} -c '
        f'"import sys; sys.exit(({version}) != (3, 9))" ;; esac\necho "started $*"\n'
    )
    known.chmod(0o755)
    (folder / "python").symlink_to(known)
    for tool in ("dirname", "cat", "readlink"):
        (tmp_path / tool).symlink_to(shutil.which(tool) or "")
    script = Path(__file__).parent.parent / "pants"
    env = {"PATH": str(tmp_path), "HOME": str(tmp_path)}
    result = subprocess.run([script, "list"], env=env, capture_output=True, text=True, check=False)
    if version == "3, 9":
        root = script.parent
        assert result.stdout == f"started -I {root}/build-support/pants_launcher.py {root} list\n"
    else:
        assert "no Python 3.9 found" in result.stderr


def test_without_python_39_the_script_names_the_next_command(tmp_path: Path) -> None:
    for tool in ("dirname", "cat", "sh"):
        (tmp_path / tool).symlink_to(f"/bin/{tool}" if Path(f"/bin/{tool}").exists() else f"/usr/bin/{tool}")
    script = Path(__file__).parent.parent / "pants"
    env = {"PATH": str(tmp_path), "HOME": str(tmp_path)}
    result = subprocess.run([script, "--version"], env=env, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "no Python 3.9 found" in result.stderr
    assert "pyenv install 3.9" in result.stderr
