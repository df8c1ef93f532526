"""A Pants backend that packages Python services as slim OCI images."""

from pants.version import VERSION as _VERSION

from slim_python_image.versions import check_version as _check_version

# First of all, because everything else imports what other versions lack.
_check_version(_VERSION)

from slim_python_image import by_name as _by_name  # noqa: E402, F401 # teaches 2.17 what modules import of Pants
