"""Holds the backend against the Python sources of a Pants, without its engine.

    build-support/pants_api.py PANTS_CHECKOUT [--record tests/pants_api/2.33.json]

Run it with a Python that has the requirements of that Pants (``3rdparty/python/requirements.txt`` of the
checkout): the version of Python that this Pants wants, or 3.11 and later as long as its sources can be read.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

if sys.version_info < (3, 11):
    sys.exit("pants_api.py: needs Python 3.11 or later: run it with the Python of that Pants")

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(Path(__file__).resolve().parent))

from api_check import checkout, compare, facts, inspected, options, parser, sources, uses  # noqa: E402

PACKAGE = "slim_python_image"


def parsed_arguments(arguments: list[str] | None) -> argparse.Namespace:
    """Return the options of a run."""
    command = argparse.ArgumentParser(
        prog="build-support/pants_api.py",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=(
            "Does the backend fit a version of Pants? Imports it against the Python sources of a checkout,\n"
            "lets the rule parser of that Pants read every rule, and compares each name, call, field and\n"
            "option that we use with what is there. Prints a table; a line BREAK says what does not fit."
        ),
        epilog=(
            "A checkout, outside this repository:\n"
            "  git clone --depth 1 --branch 2.33.x https://github.com/pantsbuild/pants /tmp/pants-2.33\n"
            "A Python with its requirements (a run names one that is missing):\n"
            "  python3.14 -m venv /tmp/venv\n"
            "  /tmp/venv/bin/python -m pip install -r /tmp/pants-2.33/3rdparty/python/requirements.txt\n"
            "  /tmp/venv/bin/python build-support/pants_api.py /tmp/pants-2.33\n"
            "Exits with 0 where all fits, 1 for breaks, 2 where the comparison could not be made."
        ),
    )
    command.add_argument(
        "checkout", type=Path, metavar="PANTS_CHECKOUT", help="of pantsbuild/pants, at a release branch"
    )
    command.add_argument(
        "--repository",
        type=Path,
        metavar="DIR",
        default=ROOT,
        help="whose pants.toml, README.md and docs name options (default: this one)",
    )
    command.add_argument(
        "--backend",
        type=Path,
        metavar="DIR",
        help=f"the folder of {PACKAGE} (default: pants-plugins of the repository)",
    )
    command.add_argument(
        "--record",
        type=Path,
        metavar="FILE",
        help="write what was found: tests/pants_api/2.33.json, which CI holds the backend against",
    )
    command.add_argument("--quiet", action="store_true", help="breaks and the summary only")
    return command.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Compare, print, and return the exit code."""
    given = parsed_arguments(arguments)
    root = given.repository.resolve()
    folder, backend, record = (one and one.resolve() for one in (given.checkout, given.backend, given.record))
    backend = backend or root / "pants-plugins"
    # Some defaults of Pants's options are of the repository that it is started in.
    os.chdir(root)
    try:
        ours = sources.read_sources(backend, PACKAGE)
        used = [*uses.of_sources(ours), *options.of_messages(ours), *options.of_repository(root)]
        own = {**uses.own_facts(ours), **options.own_facts(ours)}
        pants = checkout.ready(folder)
        overridden = uses.overrides(ours)
        found = inspected.inspected(pants, used, overridden, own)
        rules = parser.parsed(pants, backend, PACKAGE)
    except (checkout.CheckoutError, FileNotFoundError, ValueError) as e:
        print(f"pants_api.py: {e}", file=sys.stderr)
        return 2
    used += [use for use in overridden if use.name in found.names]
    findings = [*compare.compare(used, own, found), *rules.findings]
    broken = compare.breaks(findings)
    if broken or not given.quiet:
        print(compare.table([one for one in findings if one.faults or not given.quiet]))
    if record is not None:
        record.write_text(facts.written(found))
    result = f"{len(broken)} BREAKS" if broken else "all fit"
    counts = f"{len(findings)} names, {rules.rules} rules, {rules.awaitables} awaitables"
    print(f"Pants {pants.version}: {counts}: {result}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
