from django.db import migrations, models

KINDS = [
    ("change", "A change of a delivery"),
    ("address", "A confirmed address"),
    ("code", "A delivery code that was tried too often"),
    ("access", "The code of a gate, to its driver"),
]


class Migration(migrations.Migration):
    dependencies = [("shipments", "0015_minted_ids")]

    operations = [
        migrations.AlterField("outgoingmessage", "kind", models.CharField(choices=KINDS, max_length=16))
    ]
