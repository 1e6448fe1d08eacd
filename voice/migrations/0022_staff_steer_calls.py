"""Let dispatchers and supervisors tell the agent something in a call that runs."""

from importlib import import_module

from django.db import migrations

RIGHT = "steer_call"
ROLES = ("Dispatcher", "Supervisor")


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
    dependencies = [("voice", "0021_drivers")]
    operations = [
        migrations.AlterModelOptions(
            name="call",
            options={
                "ordering": ("-created_at", "-pk"),
                "permissions": (
                    ("view_transcript", "Can read what was said in a call"),
                    ("end_call", "Can end a call that runs"),
                    ("steer_call", "Can tell the agent something in a call that runs"),
                    (
                        "place_test_call",
                        "Can call the agent from a browser, as somebody of the demonstration",
                    ),
                ),
            },
        ),
        migrations.RunPython(give, take),
    ]
