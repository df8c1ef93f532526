"""``python -m tests.fuzz --inputs N --door NAME``: run doors on many inputs; those that break a rule are kept."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.fuzz import harness
from tests.fuzz.doors import DOORS


def main() -> int:
    """Run the doors that are asked for.

    :returns: 1 when an input broke a rule.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=harness.__doc__)
    parser.add_argument("--door", action="append", choices=sorted(DOORS), help="may be given more than once")
    parser.add_argument("--inputs", type=int, default=1000, help="for each door")
    parser.add_argument("--seed", type=int, default=0, help="another seed makes other inputs")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="no longer, for each door")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="write inputs that break a rule here")
    args = parser.parse_args()
    failed = False
    for name in args.door or sorted(DOORS):
        result = harness.run(DOORS[name], args.inputs, args.seed, args.seconds)
        print(
            f"{name}: {result.inputs} inputs, {result.accepted} accepted, {result.refused} refused, "
            f"slowest {result.slowest:.2f} s, most memory {result.most_memory >> 20} MB, "
            f"{len(result.findings)} findings",
            flush=True,
        )
        for finding in result.findings:
            failed = True
            print(
                f"  {finding.name} ({len(finding.data)} bytes): {finding.what}\n{finding.trace}", flush=True
            )
            if args.keep:
                args.keep.mkdir(parents=True, exist_ok=True)
                (args.keep / f"{name}-{finding.name}").write_bytes(finding.data)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
