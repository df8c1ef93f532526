"""Documents that the core makes in tests are held to their schemas; a slow machine fails no property."""

import hypothesis

from tests.support.schemas import install

hypothesis.settings.register_profile("any-machine", deadline=None)
hypothesis.settings.load_profile("any-machine")
install()
