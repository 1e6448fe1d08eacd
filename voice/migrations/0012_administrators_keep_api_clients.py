"""Let administrators make and shut out the systems that use the API."""

from importlib import import_module

from django.db import migrations

KEPT = [f"{action}_apiclient" for action in ("view", "add", "change")]


def give(apps, editor):
    import_module("voice.migrations.0010_roles").make(apps)  # writes the new permissions too
    group = apps.get_model("auth", "Group").objects.get(name="Administrator")
    found = apps.get_model("auth", "Permission").objects.filter(
        content_type__app_label="shipments", codename__in=KEPT
    )
    group.permissions.add(*found)


def take(apps, editor):
    group = apps.get_model("auth", "Group").objects.get(name="Administrator")
    group.permissions.remove(*group.permissions.filter(codename__in=KEPT))


class Migration(migrations.Migration):
    dependencies = [
        ("shipments", "0006_api_clients"),
        ("voice", "0011_unproved_calls"),
    ]
    operations = [migrations.RunPython(give, take)]
