"""A Pants backend that packages Python services as slim OCI images."""
