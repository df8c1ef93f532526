"""Documents that the core makes in tests are held to their schemas."""

from tests.support.schemas import install

install()
