"""What the output of a failed cargo says: which crate, compiler, path or program is not there."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence

from ociwheel.build.rust_version import parse, too_old
from ociwheel.remedies import Remedy
from ociwheel.transport.urls import split_userinfo

Cause = tuple[str, str | Remedy | None]
"""What is wrong, and what to do about it."""

# Each looks back for the start of a word: trying from every character of it is quadratic.
_NEWER = (
    re.compile(
        r"`(?P<what>[^`]+)` cannot be built because it requires rustc (?P<wanted>[\d.]+) "
        r".*is (?P<have>[\d.]+)"
    ),
    re.compile(r"(?<!\S)(?P<what>\S++) requires rustc (?P<wanted>[\d.]+)"),
)
_RUSTC = re.compile(r"rustc (?P<have>[\d.]+) is not supported")
_NIGHTLY = re.compile(
    r"error\[E0554\]|the cargo feature `[^`]+` requires a nightly version|"
    r"only accepted on the nightly compiler"
)
_UNLOCKED = (
    re.compile(r"no matching package named `(?P<crate>[^`]+)` found"),
    re.compile(r"failed to select a version for the requirement `(?P<crate>[^`\s]+)"),
)
_GIT = re.compile(r"can't checkout from '(?P<url>[^']+)': you are in the offline mode")
_OFFLINE = re.compile(r"attempting to make an HTTP request, but --offline was specified")
_MANIFEST = re.compile(r"failed to read `(?P<path>[^`]+/Cargo\.toml)`")
_ABSENT = "No such file or directory"
_NEAR = 4
"""Lines between what cargo failed to do and the reason that it gives."""
_SOURCES = re.compile(r"^.*/work/src/")
_PROGRAM = re.compile(r"(?:^|\s)is `(?P<name>[\w.+-]+)` not installed\?")
_LIBCLANG = re.compile(r"Unable to find libclang")
_SCRIPT = re.compile(r"failed to run custom build command for `(?P<crate>[^`(]+)")
_PANIC = re.compile(r"^\s*thread '[^']*' panicked at ")
_ABSENT_PROGRAM = re.compile(r"kind: NotFound|\(os error 2\)")
_COMPILER = re.compile(r"^\s*(?P<line>error(?:\[E\d{4}\])?: .+)")
_OTHER_SDIST = "use a version that has a wheel for this platform, or"


def cargo_cause(output: Sequence[str], libc: tuple[int, int]) -> Cause | None:
    """Return why cargo could not start to compile, None where its output does not tell.

    :param libc: the version of the base's.
    """
    if found := _newer(output, libc):
        return found
    finders = (_nightly, _unlocked, _path, _git, _program)
    return next((found for finder in finders if (found := finder(output))), None)


def script_cause(output: Sequence[str]) -> Cause | None:
    """Return which crate could not be compiled, where nothing else in the output explains it."""
    if match := _first(_SCRIPT, output):
        said = next((b for a, b in itertools.pairwise(output) if _PANIC.match(a)), "").strip()[:200]
        what = f"the build script of its crate {match['crate'].strip()} failed" + (
            f": {said}" if said else ""
        )
        if _ABSENT_PROGRAM.search(said):
            what += " (it may call a program that builds in Rust do not have, such as git or curl)"
        return what, None
    if any("could not compile `" in line for line in output) and (match := _first(_COMPILER, output)):
        return f"it does not compile: {match['line'].strip()[:300]}", None
    return None


def _newer(output: Sequence[str], libc: tuple[int, int]) -> Cause | None:
    supported = _first(_RUSTC, output)
    for pattern in _NEWER:
        match = _first(pattern, output)
        have = match and (match.groupdict().get("have") or (supported and supported["have"]))
        wanted, there = (
            parse(text.rstrip(".")) if text else None for text in (match and match["wanted"], have)
        )
        if match and wanted and there:
            error = too_old(f"the crate {match['what']}", wanted, there, "", libc)
            return error.what, error.remedy
    return None


def _nightly(output: Sequence[str]) -> Cause | None:
    if _first(_NIGHTLY, output):
        what = "it asks for a nightly compiler of Rust, and suites of Debian have stable ones alone"
        return what, f"{_OTHER_SDIST} one that a stable compiler builds"
    return None


def _unlocked(output: Sequence[str]) -> Cause | None:
    for pattern in _UNLOCKED:
        if match := _first(pattern, output):
            what = (
                f"its Cargo.toml asks for the crate {match['crate']}, in no version that its Cargo.lock "
                "names: builds have no network to look for another"
            )
            return (
                what,
                f"{_OTHER_SDIST} an sdist whose Cargo.lock is up to date (`cargo update --workspace`)",
            )
    return None


def _path(output: Sequence[str]) -> Cause | None:
    for number, line in enumerate(output):
        match = _MANIFEST.search(line)
        if match and any(_ABSENT in near for near in output[number : number + _NEAR]):
            path = _SOURCES.sub("", match["path"])
            what = f"its sdist lacks {path}, which is the manifest of a crate that it takes by its path"
            return what, f"{_OTHER_SDIST} an sdist that holds all of its workspace"
    return None


def _git(output: Sequence[str]) -> Cause | None:
    hint = f"{_OTHER_SDIST} an sdist made with `cargo vendor`"
    if match := _first(_GIT, output):
        url = split_userinfo(match["url"])[0]
        return f"it takes a crate from the git repository {url}, and builds have no network", hint
    if _first(_OFFLINE, output):
        return "cargo looks for crates beyond those that are locked, and builds have no network", hint
    return None


def _program(output: Sequence[str]) -> Cause | None:
    hint = "use a version that has a wheel for this platform"
    if match := _first(_PROGRAM, output):
        return f"a crate of it calls the program {match['name']}, which builds in Rust do not have", hint
    if _first(_LIBCLANG, output):
        return "a crate of it reads C headers with libclang (bindgen), which builds do not have", hint
    return None


def _first(pattern: re.Pattern[str], lines: Iterable[str]) -> re.Match[str] | None:
    return next((match for line in lines if (match := pattern.search(line))), None)
