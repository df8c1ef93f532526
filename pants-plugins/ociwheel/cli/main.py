"""``python -m ociwheel STEP``: parses arguments, runs one step, prints its document.

A step is a module of :data:`STEPS` with two functions: ``configure(parser)`` adds its arguments,
``run(arguments)`` does the work and returns the document. Modules load only when their step is
asked for, because start-up time is paid once per step of a build.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from ociwheel import __version__
from ociwheel.cli.quick import Options
from ociwheel.documents import canonical
from ociwheel.notes import take_told

INTERRUPTED = 130
"""The exit code after Ctrl-C, as shells have it."""

# step: (module, one line for --help)
STEPS: Mapping[str, tuple[str, str]] = {
    "toolbox": ("ociwheel.fetch.toolbox_step", "fetch and unpack the libraries that other steps use"),
    "lock-entries": ("ociwheel.lock.entries_step", "read a lockfile of any supported format"),
    "describe": ("ociwheel.fetch.describe_step", "find the files and metadata of locked versions"),
    "fetch": ("ociwheel.fetch.fetch_step", "fetch one wheel or sdist and verify its hash"),
    "fetch-git": ("ociwheel.fetch.git_step", "fetch one commit of a git repository as an sdist"),
    "fetch-debs": ("ociwheel.debian.fetch_debs_step", "fetch Debian packages and verify their hashes"),
    "plan": ("ociwheel.plan.plan_step", "choose one artifact per distribution for a platform"),
    "newest-wheel": ("ociwheel.plan.newest_wheel_step", "find the newest usable versions that have a wheel"),
    "yanked": ("ociwheel.fetch.yanked_step", "tell which locked versions were taken back"),
    "inspect-sdist": ("ociwheel.sdist.inspect_sdist_step", "tell whether an sdist has code to compile"),
    "fetch-crates": ("ociwheel.build.fetch_crates_step", "fetch the locked crates of an sdist in Rust"),
    "build-pins": ("ociwheel.build.pins_step", "choose the locked build requirements that builds install"),
    "build-requires": ("ociwheel.build.build_requires_step", "tell what the build of an sdist requires"),
    "build-resolve": ("ociwheel.build.build_resolve_step", "find the wheels that a build requires"),
    "build-lock": ("ociwheel.build.build_lock_step", "write the lock of build requirements"),
    "zig": ("ociwheel.build.zig_step", "unpack the compiler"),
    "zig-libc": ("ociwheel.build.zig_libc_step", "build the compiler's own libc for a target"),
    "build-code": ("ociwheel.build.code_step", "compile what builds run"),
    "build": ("ociwheel.build.build_step", "build one wheel from an sdist"),
    "emulate": ("ociwheel.build.emulate_step", "build one wheel in a container of its own platform"),
    "debian-lock": ("ociwheel.debian.debian_lock_step", "resolve and lock Debian packages"),
    "debian-updates": (
        "ociwheel.debian.debian_updates_step",
        "tell which locked packages have newer versions",
    ),
    "deb-layer": ("ociwheel.base.deb_layer_step", "unpack Debian packages into a layer"),
    "deb-layers": ("ociwheel.base.deb_layers_step", "unpack Debian packages into layers of a bounded size"),
    "made-files": ("ociwheel.build.made_files_step", "run the base's programs that make files of others"),
    "rootfs-layer": ("ociwheel.base.rootfs_layer_step", "write the layer of users and folders"),
    "sysroot": ("ociwheel.base.sysroot_step", "unpack builder packages or a builder image into a sysroot"),
    "container": ("ociwheel.base.build_container_step", "make the image in which wheels are built emulated"),
    "interpreter": ("ociwheel.base.interpreter_step", "unpack a Python that runs from any folder"),
    "registry-resolve": ("ociwheel.registry.resolve_step", "resolve base images in their registries"),
    "fetch-blob": ("ociwheel.registry.fetch_blob_step", "fetch one blob of a registry and verify its digest"),
    "inspect-image": ("ociwheel.base.inspect_image_step", "find Python and libc of a base image"),
    "registry-lock": ("ociwheel.base.registry_lock_step", "write the lock of a base from registries"),
    "blob-facts": ("ociwheel.base.blob_facts_step", "list the files of a base image's layer"),
    "venv-layer": ("ociwheel.base.venv_layer_step", "write the layer of the virtual environment"),
    "gcc": ("ociwheel.base.gcc_step", "unpack Debian's gcc for a target"),
    "build-programs": ("ociwheel.base.programs_step", "unpack programs that builds call"),
    "wheel-layer": ("ociwheel.layer.wheel_layer_step", "install wheels into a layer"),
    "wheel-layers": ("ociwheel.layer.wheel_layers_step", "install wheels into layers of a bounded size"),
    "source-layer": ("ociwheel.layer.source_layer_step", "put first-party code into a layer"),
    "source-layers": (
        "ociwheel.layer.source_layers_step",
        "put first-party code into layers of a bounded size",
    ),
    "account-layer": ("ociwheel.image.account_layer_step", "write the layer of an image's user and folders"),
    "check": ("ociwheel.image.check_step", "check an image as a whole, and what it starts"),
    "image": ("ociwheel.image.image_step", "write config and manifest of one platform"),
    "index": ("ociwheel.image.index_step", "write the index of all platforms and the layout"),
    "archive": ("ociwheel.image.archive_step", "pack a layout into one file"),
    "push": ("ociwheel.registry.push_step", "send an image to a repository of a registry"),
    "run": ("ociwheel.containers.run_step", "load an image into docker or podman and run it"),
    "test": ("ociwheel.testing.image_step", "check what an image has, and run a command inside it"),
    "audit": ("ociwheel.elf.audit_step", "check that every ELF file of an image can load"),
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m ociwheel",
        description="Slim OCI images from hash-pinned wheels, one step at a time.",
        epilog="Each step prints one JSON document; `python -m ociwheel STEP --help` says more.",
    )
    parser.add_argument("--version", action="version", version=f"ociwheel {__version__}")
    steps = parser.add_subparsers(dest="step", metavar="STEP", required=True)
    for name, (_, summary) in STEPS.items():
        steps.add_parser(name, help=summary, add_help=False)
    return parser


def main(argv: Sequence[str]) -> int:
    """Run one step.

    :returns: the exit code: 0, argparse's 2, or that of the error that ended the step.
    """
    # The parser of thirty steps is made for who asks which there are, or types none of them.
    step = argv[0] if argv and argv[0] in STEPS else _parser().parse_known_args(argv[:1])[0].step
    try:
        result = canonical(_run(step, argv[1:]))
    except KeyboardInterrupt:
        sys.stderr.write("error: interrupted\n")
        return INTERRUPTED
    except Exception as e:  # noqa: BLE001 (the last line of defence: no traceback reaches a user)
        from ociwheel.cli.report import report  # noqa: PLC0415 (a step that works starts without it)

        return report(step, e, argv[1:])
    sys.stdout.buffer.write(result)
    sys.stdout.buffer.flush()
    return 0


def _arguments(step: str, module: Any, arguments: Sequence[str]) -> Any:
    options = Options()
    module.configure(options)
    given = options.read(arguments)
    if given is not None:
        return given
    parser = argparse.ArgumentParser(
        prog=f"python -m ociwheel {step}",
        description=module.__doc__ or STEPS[step][1],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    module.configure(parser)
    return parser.parse_args(arguments)


def _run(step: str, arguments: Sequence[str]) -> Mapping[str, Any]:
    module = importlib.import_module(STEPS[step][0])
    given = _arguments(step, module, arguments)
    take_told()
    result: Mapping[str, Any] = module.run(given)
    told = take_told()
    return {**result, "notes": [*result.get("notes", ()), *told]} if told else result
