"""pip's own configuration, read the way pip reads it: files first, then ``PIP_*`` variables.

Who has told pip where the packages are has told us: nobody should have to say it twice.
"""

from __future__ import annotations

import configparser
import os
import pwd
import re
import sys
import sysconfig
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

# Sections that apply to a download, weakest first: pip lets a command's own section win.
_SECTIONS = ("global", "download", "install")
_LISTS = frozenset({"extra-index-url", "find-links", "trusted-host"})
_TRUE = frozenset({"1", "true", "yes", "on", "y", "t"})
_DEFAULT_INDEX = re.compile(r"""^PyPI\s*=\s*PackageIndex\(\s*["'](https?://[^"']+)["']""", re.MULTILINE)


@dataclass(frozen=True)
class PipConfig:
    """The options of pip that say where to download from, and the files that were read."""

    values: Mapping[str, str] = field(default_factory=dict)
    files: tuple[str, ...] = ()

    def text(self, option: str) -> str | None:
        """Return a single value, or None when it is absent or empty."""
        return self.values.get(option, "").strip() or None

    def words(self, option: str) -> tuple[str, ...]:
        """Return a value that is a list separated by white space."""
        return tuple(self.values.get(option, "").split())

    def flag(self, option: str) -> bool:
        """Return a boolean value."""
        return self.values.get(option, "").strip().lower() in _TRUE


def home(environ: Mapping[str, str]) -> Path | None:
    """Return the user's home folder. In a sandbox HOME is unset, so the user database is asked."""
    if environ.get("HOME"):
        return Path(environ["HOME"])
    try:
        return Path(pwd.getpwuid(os.getuid()).pw_dir)
    except KeyError:
        return None


def config_files(environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Return the files that pip would read, weakest first."""
    named = environ.get("PIP_CONFIG_FILE")
    if named == os.devnull:
        return ()
    folder = home(environ)
    files = [Path("/etc/xdg/pip/pip.conf"), Path("/etc/pip.conf")]
    if sys.platform == "darwin":
        files.append(Path("/Library/Application Support/pip/pip.conf"))
    if folder is not None:
        files.append(folder / ".pip/pip.conf")
        if sys.platform == "darwin":
            files.append(folder / "Library/Application Support/pip/pip.conf")
        config_home = environ.get("XDG_CONFIG_HOME")
        files.append((Path(config_home) if config_home else folder / ".config") / "pip/pip.conf")
    if named:
        files.append(Path(named))
    return tuple(files)


def _file_values(text: str) -> Mapping[str, str]:
    parser = configparser.RawConfigParser(strict=False)
    parser.read_string(text)
    values: dict[str, str] = {}
    for section in _SECTIONS:
        if parser.has_section(section):
            values.update((key.replace("_", "-"), value) for key, value in parser.items(section))
    return values


def read(
    environ: Mapping[str, str], files: Sequence[Path] | None = None
) -> tuple[PipConfig, tuple[str, ...]]:
    """Return pip's configuration and notes about files that could not be read.

    :param environ: the process's environment.
    :param files: the configuration files, weakest first; by default those pip would read.
    """
    values: dict[str, str] = {}
    found: list[str] = []
    notes: list[str] = []
    for path in config_files(environ) if files is None else files:
        try:
            values.update(_file_values(path.read_text("utf-8")))
            found.append(str(path))
        except FileNotFoundError:
            continue
        except (OSError, UnicodeDecodeError, configparser.Error) as e:
            notes.append(f"cannot read {path}: {' '.join(str(e).split())}")
    for name, value in sorted(environ.items()):
        if name.startswith("PIP_") and value:
            values[name.removeprefix("PIP_").lower().replace("_", "-")] = value
    return PipConfig(values, tuple(found)), tuple(notes)


def _pip_sources() -> Iterator[str]:
    """Yield the text of ``pip/_internal/models/index.py`` of each pip beside this interpreter."""
    inside = "pip/_internal/models/index.py"
    paths = sysconfig.get_paths()
    folders = [Path(paths["purelib"]), Path(paths["platlib"])]
    folders += [Path("/usr/lib/python3/dist-packages"), *(Path(p) for p in sys.path if p)]
    for folder in folders:
        if (folder / inside).is_file():
            yield (folder / inside).read_text("utf-8", errors="replace")
    bundles = [Path(paths["stdlib"]) / "ensurepip/_bundled", Path("/usr/share/python-wheels")]
    for bundle in bundles:
        for wheel in sorted(bundle.glob("pip-*.whl")):
            with zipfile.ZipFile(wheel) as archive:
                yield archive.read(inside).decode("utf-8", errors="replace")


def default_index() -> str | None:
    """Return the index that pip uses when nothing is configured, or None when there is no pip.

    It is pip's choice, not ours, so it is read from the pip of this machine.
    """
    try:
        for text in _pip_sources():
            match = _DEFAULT_INDEX.search(text)
            if match:
                return match[1].rstrip("/") + "/simple/"
    except (OSError, KeyError, zipfile.BadZipFile):
        return None
    return None
