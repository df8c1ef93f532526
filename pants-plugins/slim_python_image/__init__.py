"""A Pants backend that packages Python services as slim OCI images."""

from pants.version import VERSION as _VERSION

from slim_python_image.versions import check_version as _check_version

# Here, because everything else imports what other versions lack.
_check_version(_VERSION)
