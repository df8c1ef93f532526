"""Where things go in the virtual environment of an image, and the scripts in its ``bin``."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ociwheel.errors import ErrorCollector, LayerError, UsageError
from ociwheel.formats.entries import Entry
from ociwheel.layer.bytecode import NotCompilable, pyc_path
from ociwheel.layer.compile_many import Source, batches, compile_many
from ociwheel.layer.spool import Spool
from ociwheel.target import Target

_ENTRY_SCRIPT = re.compile(
    r"(?P<name>[\w.-]+)=(?P<module>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*):(?P<attr>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)"
)
# The base's rootfs layer has these; a package that ships one would replace the interpreter.
_RESERVED = re.compile(r"bin/python[\d.]*|pyvenv\.cfg")


@dataclass(frozen=True)
class Venv:
    """The layout below a prefix."""

    prefix: str
    """Path in the image without leading slash."""
    site_packages: str

    @staticmethod
    def of(target: Target, prefix: str) -> Venv:
        """Return the layout for a target.

        :raises UsageError: the prefix is not an absolute path.
        """
        if not prefix.startswith("/") or not prefix.strip("/"):
            raise UsageError(f"--prefix must be an absolute path other than /, found {prefix!r}")
        return Venv(prefix.strip("/"), target.site_packages(prefix))

    @property
    def python(self) -> str:
        """The interpreter's path, for shebangs."""
        return f"/{self.prefix}/bin/python"

    def entry_script(self, name: str, module: str, attr: str, origin: str) -> Entry:
        """Return a console script."""
        from installer.scripts import Script  # noqa: PLC0415  loads slowly, and most layers hold no script

        _, data = Script(name, module, attr, "console").generate(self.python, "posix")
        return Entry(f"{self.prefix}/bin/{name}", "file", 0o755, source=data, origin=origin)

    def parse_entry_script(self, text: str, origin: str) -> Entry:
        """Return the console script that ``NAME=module:function`` asks for.

        :raises UsageError: it does not have that form.
        """
        match = _ENTRY_SCRIPT.fullmatch(text)
        if match is None:
            raise UsageError(f"--entry-script must be NAME=module:function, found {text!r}")
        return self.entry_script(match["name"], match["module"], match["attr"], origin)

    def guard(self, entries: Iterable[Entry]) -> None:
        """Check that nothing takes the place of the environment's own files.

        :raises LayerError: something does.
        """
        errors = ErrorCollector()
        for entry in entries:
            inside = entry.path.removeprefix(self.prefix + "/")
            if inside != entry.path and _RESERVED.fullmatch(inside):
                errors.add(
                    LayerError(
                        f"it ships /{entry.path}, which belongs to the base's Python", where=entry.origin
                    )
                )
        errors.raise_if_any()


@dataclass(frozen=True)
class Compiled:
    """Bytecode entries, and the sources that have none."""

    entries: tuple[Entry, ...]
    notes: tuple[str, ...]


def compile_entries(sources: Iterable[Entry], spool: Spool, tag: str, *, checked: bool = False) -> Compiled:
    """Compile modules for the running interpreter.

    :param sources: files; those whose names do not end in ``.py`` are left out.
    :param tag: the interpreter's cache tag.
    :param checked: see :func:`compile_source`.
    """
    modules = [entry for entry in sources if entry.path.endswith(".py") and entry.kind == "file"]
    made: list[Entry] = []
    notes: list[str] = []
    for batch in batches([entry.size() for entry in modules]):
        own = [modules[number] for number in batch]
        for entry, code in zip(own, compile_many([_source(one, checked) for one in own]), strict=True):
            if isinstance(code, NotCompilable):
                notes.append(f"no bytecode for {entry.path} ({entry.origin}): {code}")
                continue
            part, place = spool.add_bytes(code), pyc_path(entry.path, tag)
            made.append(Entry(place, "file", 0o644, source=part, origin=entry.origin))
    spool.flush()
    return Compiled(tuple(made), tuple(notes))


def _source(entry: Entry, checked: bool) -> Source:
    with entry.open() as stream:
        return Source(stream.read(), entry.path, checked)
