from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shipments", "0013_sealed")]

    operations = [
        migrations.AddField("apiclient", "requests", models.PositiveIntegerField(default=0, editable=False)),
        migrations.AddField("apiclient", "requests_until", models.DateTimeField(editable=False, null=True)),
    ]
