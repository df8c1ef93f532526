"""The table of compiled packages: see ``bench/build_table --help``."""
