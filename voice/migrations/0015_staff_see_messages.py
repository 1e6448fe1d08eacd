"""Let whoever sees parcels see what their numbers of record were told."""

from importlib import import_module

from django.db import migrations

SEEN = "view_outgoingmessage"
ROLES = ("Dispatcher", "Supervisor", "Administrator")


def give(apps, editor):
    import_module("voice.migrations.0010_roles").make(apps)  # writes the new permission too
    permission = apps.get_model("auth", "Permission").objects.get(
        content_type__app_label="shipments", codename=SEEN
    )
    for group in apps.get_model("auth", "Group").objects.filter(name__in=ROLES):
        group.permissions.add(permission)


def take(apps, editor):
    for group in apps.get_model("auth", "Group").objects.filter(name__in=ROLES):
        group.permissions.remove(*group.permissions.filter(codename=SEEN))


class Migration(migrations.Migration):
    dependencies = [
        ("shipments", "0010_messages"),
        ("voice", "0014_supervisors_take_files"),
    ]
    operations = [migrations.RunPython(give, take)]
