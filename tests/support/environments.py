"""Virtual environments of servers that tests start, each made once from a hash-pinned lock."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


class EnvironmentMissingError(Exception):
    """This machine cannot make an environment that a test needs."""


def find_python(version: str) -> str:
    """Return the executable of a Python, for example ``3.13``: on the PATH, or among pyenv's.

    :raises EnvironmentMissingError: there is none.
    """
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    found = sorted(pyenv.glob(f"versions/{version}.*/bin/python"))
    for candidate in (f"python{version}", *map(str, found), f"/usr/bin/python{version}"):
        # A pyenv shim exists even when its version does not, so only running it tells.
        code = (
            f"import sys, venv; assert '%d.%d' % sys.version_info[:2] == '{version}'; print(sys.executable)"
        )
        try:
            done = subprocess.run([candidate, "-c", code], capture_output=True, text=True, check=False)
        except OSError:
            continue
        if done.returncode == 0:
            return done.stdout.strip()
    raise EnvironmentMissingError(
        f"no Python {version} found\n  -> install one, for example: pyenv install {version}"
    )


def environment(version: str, lock: str) -> Path:
    """Return the folder of the environment of a lock, made if it is not there.

    :param version: the Python to make it with, major and minor.
    :param lock: path of the lock in this repository.
    """
    python = find_python(version)
    key = hashlib.sha256((ROOT / lock).read_bytes() + python.encode()).hexdigest()[:16]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "slim-python-image" / "ci"
    venv = cache / f"{Path(lock).stem}-{key}"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / f"{venv.name}.lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if not (venv / "complete").exists():
            shutil.rmtree(venv, ignore_errors=True)
            subprocess.run([python, "-m", "venv", venv], check=True)
            pip = [str(venv / "bin/python"), "-m", "pip", "--disable-pip-version-check", "install", "-qq"]
            subprocess.run([*pip, "--require-hashes", "--no-deps", "-r", str(ROOT / lock)], check=True)
            (venv / "complete").touch()
    return venv
