"""Register the shipments app."""

from django.apps import AppConfig


class ShipmentsConfig(AppConfig):
    """The parcels."""

    name = "shipments"
    default_auto_field = "django.db.models.BigAutoField"
