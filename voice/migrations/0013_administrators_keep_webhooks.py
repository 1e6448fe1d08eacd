"""Let administrators say what the courier's systems are told, and have it told again."""

from importlib import import_module

from django.db import migrations

KEPT = ["view_endpoint", "add_endpoint", "change_endpoint", "view_notice", "change_notice"]


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
        ("shipments", "0008_webhooks"),
        ("voice", "0012_administrators_keep_api_clients"),
    ]
    operations = [migrations.RunPython(give, take)]
