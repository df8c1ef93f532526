"""The entry of a sandbox: ``python DIR/__main__.py STEP ...``, this file.

Sets ``sys.path`` to the core beside this file and to the toolbox's libraries, and nothing of the
interpreter's own site-packages, so that a step sees the same code wherever it runs.
"""

import os
import sys


def _main() -> int:
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [p for p in sys.path if os.path.abspath(p) != here]
    paths = [here]
    tools = os.environ.get("OCIWHEEL_TOOLS")
    if tools:
        tools = os.path.abspath(tools)
        tag = f"cp{sys.version_info[0]}{sys.version_info[1]}"
        machine = os.uname()
        # As `sysconfig.get_platform()` begins, without what that imports.
        system = "macosx" if machine.sysname == "Darwin" else machine.sysname.lower()
        native = f"{tag}-{system}-{machine.machine}"
        paths += [os.path.join(tools, "lib"), os.path.join(tools, "native", native)]
    sys.path[:0] = paths
    from ociwheel.cli.main import main

    return main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(_main())
