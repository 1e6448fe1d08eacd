"""Let supervisors take files of parcels in, and have parcels written to one."""

from importlib import import_module

from django.db import migrations

KEPT = ["view_parcelfile", "add_parcelfile", "change_parcelfile", "export_parcels"]


def give(apps, editor):
    import_module("voice.migrations.0010_roles").make(apps)  # writes the new permissions too
    group = apps.get_model("auth", "Group").objects.get(name="Supervisor")
    found = apps.get_model("auth", "Permission").objects.filter(
        content_type__app_label="shipments", codename__in=KEPT
    )
    group.permissions.add(*found)


def take(apps, editor):
    group = apps.get_model("auth", "Group").objects.get(name="Supervisor")
    group.permissions.remove(*group.permissions.filter(codename__in=KEPT))


class Migration(migrations.Migration):
    dependencies = [
        ("shipments", "0009_files_of_parcels"),
        ("voice", "0013_administrators_keep_webhooks"),
    ]
    operations = [migrations.RunPython(give, take)]
