"""Have PostgreSQL refuse to empty the audit: TRUNCATE passes the triggers of rows by. SQLite has none."""

from django.db import migrations

TABLE = "shipments_auditentry"


def refuse(apps, editor):
    if editor.connection.vendor == "postgresql":
        editor.execute(
            f"""CREATE TRIGGER audit_is_not_truncated BEFORE TRUNCATE ON {TABLE}
            FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_rewrite_audit()"""
        )


def allow(apps, editor):
    if editor.connection.vendor == "postgresql":
        editor.execute(f"DROP TRIGGER audit_is_not_truncated ON {TABLE}")


class Migration(migrations.Migration):
    dependencies = [("shipments", "0016_messages_of_spent_codes")]
    operations = [migrations.RunPython(refuse, allow)]
