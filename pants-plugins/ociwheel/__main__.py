"""``python -m ociwheel STEP``."""

import sys

from ociwheel.cli.main import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
