from django.db import migrations, models

NAME = "run_that_proved_nothing"
TOOLS = ("check_fact", "submit_pin", "report_problem")


class Migration(migrations.Migration):
    dependencies = [("voice", "0026_why_nobody_took_a_call")]

    operations = [
        migrations.RemoveIndex("toolrun", NAME),
        migrations.AddIndex(
            "toolrun",
            models.Index(
                condition=models.Q(("name__in", TOOLS), ("state", "refused")), fields=["call"], name=NAME
            ),
        ),
    ]
