"""What all tests share: how hypothesis searches."""

from hypothesis import settings

# No deadline for a single example: on a busy machine it would fail now and then. pytest-timeout bounds each test.
settings.register_profile("house", deadline=None)
settings.load_profile("house")
