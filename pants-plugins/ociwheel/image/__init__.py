"""OCI images, indexes, layouts and archives."""
