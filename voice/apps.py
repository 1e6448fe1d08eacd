"""Register the voice app."""

from django.apps import AppConfig


class VoiceConfig(AppConfig):
    """The telephone line."""

    name = "voice"
    default_auto_field = "django.db.models.BigAutoField"
