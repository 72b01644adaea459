"""What all tests share: property tests draw the same examples every time, so that a change is what breaks them."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("fixed", derandomize=True, deadline=None)
settings.load_profile("fixed")
