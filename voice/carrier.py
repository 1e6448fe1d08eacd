"""Reach the telephone platform, as the settings say."""

from django.conf import settings

from voice.clients.sautikit import SautikitClient


def reach() -> SautikitClient:
    """Return the platform's client, to be entered."""
    return SautikitClient(
        settings.SAUTIKIT_BASE_URL,
        settings.SAUTIKIT_API_KEY,
        answer_s=settings.SAUTIKIT_ANSWER_S,
        connect_s=settings.SAUTIKIT_CONNECT_S,
    )
