"""Values for tests of the backend. Not part of the product."""
