"""Register the voice app."""

from django.apps import AppConfig


class VoiceConfig(AppConfig):
    """The telephone line."""

    name = "voice"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the checks of the settings and who listens to what happens to parcels."""
        from voice import checks, dispatch  # noqa: F401, PLC0415 - importing registers; it needs the apps loaded
