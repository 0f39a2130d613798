"""`make test-fuzz`: the loaders with `--hypothesis-profile=long`, which looks for longer."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("long", max_examples=3000, deadline=None)
