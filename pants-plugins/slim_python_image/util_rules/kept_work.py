"""What steps keep on the machine from run to run: named caches, whose content is in no key (ADR 029, 031)."""

from __future__ import annotations

import hashlib

from pants.engine.fs import Digest

ROOT = ".ociwheel"
CODE = f"{ROOT}/code"
WHEELS = f"{ROOT}/wheels"
_OTHERS_CODE_STEPS = frozenset({"build", "build-requires", "emulate"})
"""Steps that run code of others, so that no cache of ours is in their sandbox."""
_WHEEL_STEPS = frozenset({"wheel-layer", "wheel-layers"})
"""Steps that install wheels into a layer, and run no code of theirs."""
_CODE_CACHE = "ociwheel_code"
_WHEELS_CACHE = "ociwheel_wheels"
_KEPT = f"{ROOT}/kept"
_KEPT_CACHE = "ociwheel_kept"
_KEEPING_STEPS = frozenset({"describe", "fetch"})
"""Steps that ask indexes, and may find here what this machine was told before: see docs/decisions/031."""


def code_name(step: str, core: Digest, toolbox: Digest | None) -> str:
    """Return the name of the file that keeps a step's bytecode: it tells which sources it is of."""
    sources = f"{core.fingerprint} {toolbox.fingerprint if toolbox else ''}"
    return f"{step}-{hashlib.sha256(sources.encode()).hexdigest()[:32]}"


def wheels_name(core: Digest, toolbox: Digest | None, interpreter: Digest | None) -> str:
    """Return how the names of files begin that keep installed wheels: it tells what installs them.

    The Python compiles their modules, so it counts, too.
    """
    trees = (tree.fingerprint if tree else "-" for tree in (core, toolbox, interpreter))
    return hashlib.sha256(" ".join(trees).encode()).hexdigest()[:32]


def kept_work(
    step: str, core: Digest, toolbox: Digest | None, interpreter: Digest | None
) -> tuple[dict[str, str], dict[str, str]]:
    """Return a step's named caches with their places in the sandbox, and the variables that tell of them."""
    caches, env = {}, {}
    if step not in _OTHERS_CODE_STEPS:
        caches[_CODE_CACHE] = CODE
        env["OCIWHEEL_CODE"] = f"{CODE}/{code_name(step, core, toolbox)}"
    if step in _KEEPING_STEPS:
        caches[_KEPT_CACHE] = _KEPT
        env["OCIWHEEL_KEPT"] = f"{_KEPT}/{code_name(step, core, toolbox)}"
    if step in _WHEEL_STEPS:
        caches[_WHEELS_CACHE] = WHEELS
        env["OCIWHEEL_WHEELS"] = f"{WHEELS}/{wheels_name(core, toolbox, interpreter)}"
    return caches, env
