"""Real ears and a real mouth, for the tests in which speech is understood."""

import pytest

from voice.sandbox.offline import offline_voice_missing

_MISSING = offline_voice_missing()

needs_speech = pytest.mark.skipif(
    bool(_MISSING), reason=f"{_MISSING} (make test installs them where they are to be had)"
)
"""Leaves a test out, and says why, where nothing can speak and hear."""
