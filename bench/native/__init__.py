"""What compiled modules need at run time, cross-built by us and built natively by Debian's gcc."""
