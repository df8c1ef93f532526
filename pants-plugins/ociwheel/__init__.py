"""Slim OCI images from hash-pinned Python wheels: the core, which knows no build system.

Every step is a command, ``python -m ociwheel STEP``: arguments and files in, files and one
versioned JSON document (on standard output) out.
"""

__version__ = "0.1.0"
