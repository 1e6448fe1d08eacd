"""Let whoever sees the riders see their rounds, and those who keep the riders up plan them."""

from importlib import import_module

from django.db import migrations

ROLES = {
    "Dispatcher": ("view_stop",),
    "Supervisor": ("view_stop", "add_stop", "change_stop", "delete_stop"),
    "Administrator": ("view_stop", "add_stop", "change_stop", "delete_stop"),
}


def give(apps, editor):
    import_module("voice.migrations.0010_roles").make(apps)  # writes the new permissions too
    permissions = apps.get_model("auth", "Permission").objects.filter(content_type__app_label="shipments")
    for role, names in ROLES.items():
        group = apps.get_model("auth", "Group").objects.get(name=role)
        group.permissions.add(*(permissions.get(codename=name) for name in names))


def take(apps, editor):
    for role, names in ROLES.items():
        for group in apps.get_model("auth", "Group").objects.filter(name=role):
            group.permissions.remove(*group.permissions.filter(codename__in=names))


class Migration(migrations.Migration):
    dependencies = [
        ("shipments", "0012_rounds"),
        ("voice", "0018_carrier_bills"),
    ]
    operations = [migrations.RunPython(give, take)]
