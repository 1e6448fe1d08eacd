"""Seal the codes of gates and the secrets of webhooks, and open them again on the way back."""

from collections.abc import Callable
from typing import Any

from django.db import migrations, models

from shipments import sealed

COLUMNS = (("Address", "access_code"), ("Endpoint", "secret"))


def each(change: Callable[[str], str]) -> Callable[[Any, Any], None]:
    """Return the step that puts what `change` makes of it in the place of all that is there."""

    def run(apps: Any, schema_editor: Any) -> None:
        for model, field in COLUMNS:
            rows = apps.get_model("shipments", model).objects.exclude(**{field: ""})
            for pk, text in rows.values_list("pk", field).iterator():
                rows.filter(pk=pk).update(**{field: change(text)})

    return run


class Migration(migrations.Migration):
    dependencies = [("shipments", "0012_rounds")]

    operations = [
        migrations.AlterField("address", "access_code", models.CharField(max_length=255, blank=True)),
        migrations.AlterField("endpoint", "secret", models.CharField(max_length=255, editable=False)),
        migrations.RunPython(each(sealed.seal), each(sealed.unseal)),
        migrations.AlterField(
            "address",
            "access_code",
            sealed.SealedCharField(
                max_length=255,
                blank=True,
                help_text="never spoken: sent to the driver whose next stop this is",
            ),
        ),
        migrations.AlterField("endpoint", "secret", sealed.SealedCharField(max_length=255, editable=False)),
    ]
