"""Register the voice app."""

from django.apps import AppConfig


class VoiceConfig(AppConfig):
    """The telephone line."""

    name = "voice"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the checks of the settings."""
        from voice import checks  # noqa: F401, PLC0415 - importing registers; it needs the apps loaded
