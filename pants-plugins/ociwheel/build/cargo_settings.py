"""What a project's own ``.cargo/config.toml`` says of its code, which a build follows.

Format: the cargo book, "Configuration", ``build.rustflags`` and ``target.<triple>.rustflags``. Of these flags
a build takes the names that code is compiled under (``--cfg tokio_unstable``). Linkers, sources, wrappers and
processors that it names are those of its makers' machines: a build has its own.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

from ociwheel.errors import BuildError
from ociwheel.reading import DocumentLimits, Value, failing
from ociwheel.reading_toml import read_toml

_LIMITS = DocumentLimits(size=1 << 18)
# cargo prefers the name without an ending where both are there.
_FILES = (".cargo/config", ".cargo/config.toml")


def cfg_flags(source: Path, triple: str) -> tuple[str, ...]:
    """Return the arguments ``--cfg NAME`` that a project gives rustc for a target.

    :param source: the unpacked sdist.
    :param triple: the target, as rustc calls it.
    :raises BuildError: the project's configuration is no TOML, or has flags of another type.
    """
    path = next((source / name for name in _FILES if (source / name).is_file()), None)
    if path is None:
        return ()
    fail = failing(BuildError, path.relative_to(source).as_posix())
    document = read_toml(path, fail, _LIMITS)
    targets = document.maybe("target")
    # "There are four mutually exclusive sources of extra flags": where the target has some, the build's do
    # not count.
    tables = (targets.maybe(triple) if targets else None, document.maybe("build"))
    given = [_words(rows) for table in tables if table and (rows := table.maybe("rustflags"))]
    return tuple(_cfgs(next(filter(None, given), [])))


def _words(flags: Value) -> list[str]:
    return flags.raw.split() if isinstance(flags.raw, str) else list(flags.texts())


def _cfgs(words: list[str]) -> Iterator[str]:
    for word, following in itertools.pairwise([*words, ""]):
        if word.startswith("--cfg="):
            yield from ("--cfg", word.removeprefix("--cfg="))
        elif word == "--cfg" and following:
            yield from (word, following)
