"""Let supervisors and administrators call the agent from a browser."""

from importlib import import_module

from django.db import migrations

RIGHT = "place_test_call"
ROLES = ("Supervisor", "Administrator")


def give(apps, editor):
    import_module("voice.migrations.0010_roles").make(apps)  # writes the new permission too
    permission = apps.get_model("auth", "Permission").objects.get(
        content_type__app_label="voice", codename=RIGHT
    )
    for group in apps.get_model("auth", "Group").objects.filter(name__in=ROLES):
        group.permissions.add(permission)


def take(apps, editor):
    for group in apps.get_model("auth", "Group").objects.filter(name__in=ROLES):
        group.permissions.remove(*group.permissions.filter(codename=RIGHT))


class Migration(migrations.Migration):
    dependencies = [("voice", "0016_test_calls")]
    operations = [migrations.RunPython(give, take)]
