"""Pictures of what is in an image: a treemap of its bytes, and a page that compares two."""
