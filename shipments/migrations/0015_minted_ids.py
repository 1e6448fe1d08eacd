from django.db import migrations, models


def mark_ours(apps, schema_editor):
    """Mark the demonstration's parcels: of the others nobody can tell, as one foreign id in 25 looks like ours."""
    apps.get_model("shipments", "Shipment").objects.filter(is_demo=True).update(minted=True)


class Migration(migrations.Migration):
    dependencies = [("shipments", "0014_requests_counted")]

    operations = [
        migrations.AddField(
            "shipment",
            "minted",
            models.BooleanField(default=False, editable=False, help_text="the id is of our making"),
        ),
        migrations.RunPython(mark_ours, migrations.RunPython.noop),
    ]
