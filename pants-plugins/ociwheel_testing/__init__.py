"""Writers of small real files for tests of the core. Not part of the product."""
