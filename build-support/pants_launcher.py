"""Install the Pants version that ``pants.toml`` names, prepare its ``pex`` tool, and become it.

A version that no package index has, any after 2.17, is left to Pants's own launcher.

Runs on a bare Python 3.9 with the standard library only: the ``pants`` script beside this folder starts it.
What it makes lives in the user's cache, never in the repository:

    <cache>/pants/<version>-<key>/current          names the finished environment, written last
    <cache>/pants/<version>-<key>/venv-XXXXXXXX    an environment, never moved
    <cache>/pex/<sha256>/pex                       the tool that Pants would fetch from a code hosting site
    <cache>/python                                 the Python 3.9 of the last start, for the next one

``key`` covers the lock and the interpreter. An environment without a ``current`` that names it is half made
and is replaced. A lock held by the kernel (``flock``) lets the second of two starts wait; it ends with its
process, however that ends, so there are no stale locks.
"""

from __future__ import annotations

import configparser
import contextlib
import fcntl
import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NoReturn

CACHE_NAME = "slim-python-image"
PANTS_LOCK = "3rdparty/pants/pants.lock"
RELOCK = "build-support/relock.sh pants"

# What `pex -c pex` makes of the locked pex wheel, on any interpreter and file system: the bytes are the same.
PEX_VERSION = "2.1.137"
PEX_SHA256 = "a613c48ab6b957eda6bffa911386e3e586319369e0f0c291311d403aa1af4a32"
PEX_SIZE = 3563510
PEX_PLATFORMS = ("linux_x86_64", "linux_arm64", "macos_x86_64", "macos_arm64")

# The newest Pants that package indexes have. Later ones come by Pants's own launcher, from elsewhere.
NEWEST_INDEXED = (2, 17)

# Of an environment whose programs are started by their first line: kernels cut it at 127 bytes.
LONGEST_PATH = 100


class LaunchError(Exception):
    """A start that cannot go on: what is wrong, and the next command."""


def say(text: str) -> None:
    """Print a progress line where it cannot mix with the output of Pants."""
    sys.stderr.write(f"./pants: {text}\n")
    sys.stderr.flush()


def pants_version(config: str) -> str:
    """Return ``pants_version`` of the text of a ``pants.toml``.

    :raises LaunchError: when there is none, or it is not a plain version.
    """
    found = re.search(r"""^\s*pants_version\s*=\s*["']([^"']+)["']""", config, re.MULTILINE)
    if not found:
        raise LaunchError('pants.toml has no pants_version.\n  -> add it: [GLOBAL] pants_version = "2.17.1"')
    if not re.fullmatch(r"[0-9][0-9A-Za-z.+]*", found.group(1)):
        raise LaunchError(f"pants.toml: pants_version {found.group(1)!r} is no version")
    return found.group(1)


def lock_entry(lock: str, name: str) -> tuple[str, str] | None:
    """Return the version of ``name`` in a requirements lock, and its whole entry with the hashes."""
    lines = lock.splitlines()
    for start, line in enumerate(lines):
        found = re.match(rf"{re.escape(name)}==([^\s;\\]+)", line)
        if found:
            end = start
            while lines[end].endswith("\\"):
                end += 1
            return found.group(1), "\n".join(lines[start : end + 1]) + "\n"
    return None


def cache_root(env: Mapping[str, str]) -> Path:
    """Return the folder for everything this launcher keeps.

    ``PANTS_SETUP_CACHE`` wins, then the XDG base directory specification, which takes no relative path.
    """
    if env.get("PANTS_SETUP_CACHE"):
        return Path(env["PANTS_SETUP_CACHE"]).absolute() / CACHE_NAME
    xdg = env.get("XDG_CACHE_HOME", "")
    base = Path(xdg) if os.path.isabs(xdg) else Path.home() / ".cache"
    return base / CACHE_NAME


@contextlib.contextmanager
def locked(folder: Path, content: str) -> Iterator[None]:
    """Hold ``folder`` for this process alone, waiting for whoever has it.

    :param content: what is made there, for the message to who waits.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / ".lock", "w", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"another start prepares {content}, waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def run(args: list[str], purpose: str) -> None:
    """Run a command of the installation, its output on stderr.

    :raises LaunchError: when it fails; its own output is above the message then.
    """
    try:
        subprocess.run(args, check=True, stdin=subprocess.DEVNULL, stdout=sys.stderr.fileno())
    except subprocess.CalledProcessError as error:
        raise LaunchError(
            f"{purpose} failed with exit code {error.returncode}; what it said is above.\n"
            f"  command: {shlex.join(args)}\n"
            "  -> if the package index was not reached, check what pip uses: python3 -m pip config list"
        ) from error


def finished_venv(home: Path) -> Path | None:
    """Return the environment that ``home/current`` names, if it is whole and its interpreter still exists."""
    try:
        venv = home / (home / "current").read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return None
    python = venv / "bin" / "python"
    return venv if venv.parent == home and os.access(python, os.X_OK) else None


def make_venv(home: Path, lock: Path, version: str) -> Path:
    """Make the environment of Pants under ``home`` and name it in ``current``."""
    for stale in home.glob("venv-*"):
        shutil.rmtree(stale, ignore_errors=True)
    # A name of its own for each try: a pip that outlived its killed launcher writes where nobody looks.
    venv = Path(tempfile.mkdtemp(prefix="venv-", dir=home))
    say(f"installing Pants {version} (once; into {venv})")
    run([sys.executable, "-I", "-m", "venv", str(venv)], "Making a virtual environment")
    pip = [str(venv / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
    run(
        [*pip, "install", "-qq", "--require-hashes", "--no-deps", "-r", str(lock)],
        f"Installing Pants {version}",
    )
    write_whole(home / "current", venv.name + "\n")
    return venv


def write_whole(path: Path, text: str, mode: int = 0o600) -> None:
    """Write a file that exists either whole or not at all."""
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
        os.fchmod(file.fileno(), mode)
    os.replace(file.name, path)


def prepare_pants(root: Path, cache: Path, version: str) -> Path:
    """Return the virtual environment that holds Pants ``version``, made if it has to be.

    :raises LaunchError: when the lock pins another version, or the installation fails.
    """
    lock = root / PANTS_LOCK
    text = lock.read_text(encoding="utf-8")
    entry = lock_entry(text, "pantsbuild-pants")
    if entry is None or entry[0] != version:
        raise LaunchError(
            f"Pants {version} is wanted, {PANTS_LOCK} pins {entry[0] if entry else 'none'}.\n"
            f"  -> after a change of pants_version in pants.toml, lock again: {RELOCK}"
        )
    interpreter = f"{os.path.realpath(sys.executable)} {sys.version}"
    key = hashlib.sha256(f"{interpreter}\0{text}".encode()).hexdigest()[:16]
    home = cache / "pants" / f"{version}-{key}"
    venv = finished_venv(home)
    if venv:
        return venv
    with locked(home, f"Pants {version}"):
        return finished_venv(home) or make_venv(home, lock, version)


def file_sha256(path: Path) -> str | None:
    """Return the SHA-256 of a file in hexadecimal, ``None`` when there is no such file."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError:
        return None


# pex hashes its own files in the order in which folders list them, which is another on each file system.
PEX_IN_ORDER = """\
import os

walk = os.walk


def in_order(*arguments, **options):
    for folder, folders, files in walk(*arguments, **options):
        folders.sort()
        files.sort()
        yield folder, folders, files


os.walk = in_order
from pex.bin.pex import main

main()
"""


def make_pex(venv: Path, entry: str, output: Path) -> None:
    """Build the ``pex`` tool from its locked wheel.

    :param entry: the lines of pex in the lock of Pants, with the hashes.
    :param output: the file to write.
    :raises LaunchError: when the result has not the bytes it must have.
    """
    say(f"preparing the pex tool {PEX_VERSION} (once)")
    python = str(venv / "bin" / "python")
    with tempfile.TemporaryDirectory(dir=output.parent) as name:
        work = Path(name)
        (work / "pex.lock").write_text(entry, encoding="utf-8")
        wheels = str(work / "wheels")
        download = [python, "-m", "pip", "--disable-pip-version-check", "download", "-qq", "--no-deps"]
        locked_wheel = ["--only-binary", ":all:", "--require-hashes", "-r", str(work / "pex.lock")]
        run([*download, *locked_wheel, "-d", wheels], "Downloading pex")
        build = [python, "-c", PEX_IN_ORDER, "--disable-cache", "--no-index", "--find-links", wheels]
        shebang = ["--python-shebang", "/usr/bin/env python"]
        what = [f"pex=={PEX_VERSION}", "-c", "pex", "-o", str(work / "pex")]
        run([*build, *what, *shebang], "Building the pex tool")
        digest = file_sha256(work / "pex")
        if digest != PEX_SHA256:
            raise LaunchError(
                f"The pex tool built from pex {PEX_VERSION} has another checksum than expected.\n"
                f"  expected sha256: {PEX_SHA256}\n  found sha256:    {digest}\n"
                "  -> a damaged download or installation: remove the cache and try again, or report it:\n"
                f"       rm -rf {shlex.quote(str(output.parent.parent.parent))}"
            )
        os.replace(work / "pex", output)


def prepare_pex(root: Path, cache: Path, venv: Path) -> Path:
    """Return the ``pex`` tool as a file with the expected checksum, made if it has to be."""
    output = cache / "pex" / PEX_SHA256 / "pex"
    if file_sha256(output) == PEX_SHA256:
        return output
    entry = lock_entry((root / PANTS_LOCK).read_text(encoding="utf-8"), "pex")
    if entry is None or entry[0] != PEX_VERSION:
        raise LaunchError(f"{PANTS_LOCK} does not pin pex {PEX_VERSION}.\n  -> lock again: {RELOCK}")
    with locked(output.parent, "the pex tool"):
        if file_sha256(output) != PEX_SHA256:
            make_pex(venv, entry[1], output)
    return output


def pip_settings(env: Mapping[str, str], prefix: Path) -> dict[str, str]:
    """Return pip's settings as pip reads them: its configuration files, then the environment, later ones win.

    :param prefix: the environment whose pip it is; it may hold a ``pip.conf``.
    """
    home = Path.home()
    config_home = Path(env.get("XDG_CONFIG_HOME") or home / ".config")
    # https://pip.pypa.io/en/stable/topics/configuration/: "global", "user", "site", then PIP_CONFIG_FILE.
    shared = [Path(folder) / "pip" for folder in reversed(env.get("XDG_CONFIG_DIRS", "/etc/xdg").split(":"))]
    folders = [*shared, Path("/etc"), home / ".pip", config_home / "pip", prefix]
    if sys.platform == "darwin":
        folders[0:0] = [Path("/Library/Application Support/pip")]
        folders[-1:-1] = [home / "Library" / "Application Support" / "pip"]
    files = [folder / "pip.conf" for folder in folders]
    chosen = env.get("PIP_CONFIG_FILE")
    if chosen == os.devnull:
        files = []
    elif chosen:
        files.append(Path(chosen))
    settings: dict[str, str] = {}
    for file in files:
        parser = configparser.RawConfigParser()
        with contextlib.suppress(OSError, configparser.Error, UnicodeDecodeError):
            parser.read(file, encoding="utf-8")
        for section in ("global", "install"):
            if parser.has_section(section):
                settings.update({key.replace("_", "-"): value for key, value in parser.items(section)})
    for key, value in env.items():
        if key.startswith("PIP_") and value:
            settings[key[len("PIP_") :].lower().replace("_", "-")] = value
    return settings


def own_indexes(config: str) -> list[str]:
    """Return the package indexes that ``pants.toml`` names or adds, in the order that they stand there."""
    section = re.search(
        r"^\[python-repos\][ \t]*(?:#[^\n]*)?$(.*?)(?=^\[|\Z)", config, re.MULTILINE | re.DOTALL
    )
    found = section and re.search(
        r"^[ \t]*indexes(?:\.add)?[ \t]*=[ \t]*(?:\{[^}]*?\badd[ \t]*=[ \t]*)?\[([^\]]*)\]",
        section[1],
        re.MULTILINE,
    )
    return [one[1:-1] for one in re.findall(r"'[^']*'|\"[^\"]*\"", found[1])] if found else []


def network_options(settings: Mapping[str, str], env: Mapping[str, str], config: str = "") -> dict[str, str]:
    """Return the environment that gives Pants the index, find-links and certificates that pip uses.

    Indexes that ``pants.toml`` names stay beside pip's: not every machine lists a repository's private index.
    Only what pip is configured with is set, and nothing that the user set for Pants: machines without such a
    configuration run with exactly what ``pants.toml`` says.
    """
    options: dict[str, str] = {}
    extra = settings.get("extra-index-url", "").split()
    if settings.get("no-index"):
        options["PANTS_PYTHON_REPOS_INDEXES"] = "[]"
    elif settings.get("index-url"):
        # The whole list, so that Pants's own default is not among them unless the repository names it.
        options["PANTS_PYTHON_REPOS_INDEXES"] = repr([settings["index-url"], *extra, *own_indexes(config)])
    elif extra:
        # A list after a plus sign is added to what Pants would use.
        options["PANTS_PYTHON_REPOS_INDEXES"] = f"+{extra!r}"
    links = settings.get("find-links", "").split()
    if links:
        options["PANTS_PYTHON_REPOS_FIND_LINKS"] = f"+{links!r}"
    bundle = settings.get("cert") or env.get("REQUESTS_CA_BUNDLE") or env.get("SSL_CERT_FILE") or ""
    if os.path.isfile(bundle):
        options["PANTS_CA_CERTS_PATH"] = os.path.abspath(bundle)
    return {name: value for name, value in options.items() if name not in env}


def pex_options(pex: Path) -> dict[str, str]:
    """Return the environment that makes Pants take its ``pex`` tool from the file ``pex``."""
    # Pants formats the address as a template.
    address = pex.as_uri().replace("{", "{{").replace("}", "}}")
    known = [f"v{PEX_VERSION}|{platform}|{PEX_SHA256}|{PEX_SIZE}" for platform in PEX_PLATFORMS]
    return {
        "PANTS_PEX_CLI_VERSION": f"v{PEX_VERSION}",
        "PANTS_PEX_CLI_URL_TEMPLATE": address,
        "PANTS_PEX_CLI_KNOWN_VERSIONS": repr(known),
    }


def remember_python(cache: Path, env: Mapping[str, str]) -> None:
    """Keep a link to this interpreter for the next start, unless the user named it for this one."""
    link = cache / "python"
    chosen = env.get("PANTS_PYTHON") or env.get("PYTHON")
    if chosen or os.path.realpath(link) == os.path.realpath(sys.executable):
        return
    with contextlib.suppress(OSError), tempfile.TemporaryDirectory(dir=cache) as work:
        new = Path(work) / "python"
        new.symlink_to(sys.executable)
        new.replace(link)


def server_script(venv: Path) -> Path:
    """Return the program that becomes Pants: ``pants_server.py``, as a program of the environment."""
    file = Path(__file__).with_name("pants_server.py")
    if not file.exists():
        # Who has taken this launcher without it gets Pants as it is.
        return venv / "bin" / "pants"
    source = file.read_text(encoding="utf-8")
    interpreter = venv / "bin" / "python"
    text = f"#!{interpreter}\n{source}"
    script = venv / "bin" / f"pants-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    if not os.access(script, os.X_OK):
        write_whole(script, text, mode=0o755)
    return script


def pants_command(venv: Path) -> tuple[list[str], dict[str, str]]:
    """Return the command that starts Pants, and the variables that it needs.

    The wheel of Pants holds a native client, as which Pants's own launcher starts, too. It asks a daemon that
    runs without loading Python, which takes 0.8 seconds, and becomes Pants itself in every other case.
    """
    server = server_script(venv)
    client = next(venv.glob("lib/python*/site-packages/pants/bin/native_client"), None)
    if client is not None and not os.access(client, os.X_OK):
        # pip installs it as data.
        with contextlib.suppress(OSError):
            client.chmod(0o755)
    if client is None or not os.access(client, os.X_OK) or len(str(venv)) > LONGEST_PATH:
        return [str(venv / "bin" / "python"), str(server)], {}
    return [str(client)], {"_PANTS_SERVER_EXE": str(server)}


def is_indexed(version: str) -> bool:
    """Tell whether package indexes have a version of Pants."""
    return tuple(int(part) for part in re.findall(r"[0-9]+", version)[:2]) <= NEWEST_INDEXED


def own_launcher(root: Path, version: str, path: str) -> str:
    """Return Pants's own launcher, which installs the versions that no index has.

    :param path: the folders to look in, as ``$PATH`` lists them.
    :raises LaunchError: there is none.
    """
    folders = [folder for folder in path.split(os.pathsep) if folder]
    for folder in folders:
        found = shutil.which("pants", path=folder)
        if found and not os.path.samefile(found, root / "pants"):
            return found
    raise LaunchError(
        f"Pants {version} is on no package index, {'.'.join(map(str, NEWEST_INDEXED))} is the newest there, "
        "and Pants's own launcher, `pants`, is not on the PATH.\n"
        "  -> install it (https://www.pantsbuild.org, Installing Pants), or set pants_version in pants.toml"
    )


def hand_over(root: Path, version: str, args: list[str], env: dict[str, str]) -> NoReturn:
    """Replace this process by Pants's own launcher, with the index and certificates that pip uses."""
    program = own_launcher(root, version, env.get("PATH", os.defpath))
    config = (root / "pants.toml").read_text(encoding="utf-8")
    env.update(network_options(pip_settings(env, Path(sys.prefix)), env, config))
    os.execve(program, [program, *args], env)  # noqa: S606  becoming Pants is the point


def launch(root: Path, args: list[str]) -> NoReturn:
    """Prepare everything and replace this process by Pants.

    :param root: the repository: the folder of ``pants.toml``.
    :param args: the arguments of Pants.
    """
    env = dict(os.environ)
    config = (root / "pants.toml").read_text(encoding="utf-8")
    version = env.get("PANTS_VERSION") or pants_version(config)
    if not is_indexed(version):
        hand_over(root, version, args, env)
    cache = cache_root(env)
    venv = prepare_pants(root, cache, version)
    remember_python(cache, env)
    env.setdefault("PANTS_BIN_NAME", "./pants")
    # Pants would advise its own launcher at each start, which needs a code hosting site.
    env.setdefault("NO_SCIE_WARNING", "1")
    if "PANTS_PEX_CLI_URL_TEMPLATE" not in env:
        env.update(pex_options(prepare_pex(root, cache, venv)))
    env.update(network_options(pip_settings(env, venv), env, config))
    if root not in (Path.cwd(), *Path.cwd().parents):
        os.chdir(root)
    program, before = pants_command(venv)
    env.update(before)
    os.execve(program[0], [*program, *args], env)  # noqa: S606  becoming Pants is the point


def main() -> NoReturn:
    """Run :func:`launch` and turn what a user can mend into a message."""
    try:
        launch(Path(sys.argv[1]), sys.argv[2:])
    except LaunchError as error:
        raise SystemExit(f"./pants: {error}") from None
    except OSError as error:
        raise SystemExit(f"./pants: {error.strerror}: {error.filename}") from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
