"""Make the three roles of the desk; what may be added to them later is a migration of its own.

A dispatcher sees what belongs to the depots that he works for. A supervisor sees all of it, decides, reads what
was said and keeps the depots up. An administrator keeps people and settings, and moves no parcel.
"""

from django.contrib.auth.management import create_permissions
from django.db import migrations

SEEN = (
    *("shipments.view_shipment", "shipments.view_trackingevent", "shipments.view_deliverychange"),
    *("shipments.view_address", "shipments.view_depot", "shipments.view_deliveryslot"),
    *("shipments.view_driver", "shipments.view_holiday"),
    *("voice.view_call", "voice.view_callbackrequest", "voice.view_outboundcall"),
)
KEPT_UP = (
    *(
        f"shipments.{action}_{model}"
        for model in ("depot", "deliveryslot", "driver", "holiday", "contactpreference")
        for action in ("view", "add", "change")
    ),
    *("shipments.delete_deliveryslot", "shipments.delete_holiday"),
)
WORK = (
    *("shipments.change_shipment", "voice.add_outboundcall", "voice.change_outboundcall"),
    "voice.change_callbackrequest",
)
ROLES = {
    "Dispatcher": SEEN + WORK,
    "Supervisor": (
        *SEEN,
        *WORK,
        *KEPT_UP,
        *("shipments.view_all_depots", "shipments.approve_change", "shipments.reveal_number"),
        *("shipments.view_auditentry", "voice.view_transcript", "voice.end_call", "voice.change_dialswitch"),
    ),
    "Administrator": (
        *SEEN,
        *KEPT_UP,
        *("shipments.view_all_depots", "shipments.view_auditentry", "voice.change_dialswitch"),
        *("auth.view_user", "auth.add_user", "auth.change_user", "auth.view_group"),
    ),
}


def make(apps, editor=None):
    """Write the permissions that Django would only write after all migrations, and the roles with them."""
    for label in ("auth", "shipments", "voice"):
        config = apps.get_app_config(label)
        if not hasattr(config, "models_module"):  # a migration's own idea of an app
            config.models_module = True
        create_permissions(config, apps=apps, verbosity=0)
    group, permission = apps.get_model("auth", "Group"), apps.get_model("auth", "Permission")
    for role, names in ROLES.items():
        pairs = [name.split(".") for name in names]
        found = [
            permission.objects.get(content_type__app_label=label, codename=codename)
            for label, codename in pairs
        ]
        group.objects.get_or_create(name=role)[0].permissions.add(*found)


def unmake(apps, editor):
    apps.get_model("auth", "Group").objects.filter(name__in=ROLES).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("shipments", "0004_staff_of_depots"),
        ("voice", "0009_call_permissions"),
    ]
    operations = [migrations.RunPython(make, unmake)]
