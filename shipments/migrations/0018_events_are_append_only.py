"""Have the database itself refuse to rewrite a parcel's history, whoever asks, as it does for the audit.

A later migration that makes SQLite build this table anew drops the triggers with the old one, and has to
run these statements again; tests/shipments/test_audit.py notices.
"""

from django.db import migrations

TABLE = "shipments_trackingevent"
REFUSAL = "tracking events are append-only"
SQLITE = [
    f"""CREATE TRIGGER events_are_append_only_{what.lower()} BEFORE {what} ON {TABLE}
    BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"""
    for what in ("UPDATE", "DELETE")
]
POSTGRESQL = [
    f"""CREATE FUNCTION refuse_to_rewrite_events() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION '{REFUSAL}' USING ERRCODE = 'integrity_constraint_violation'; END $$""",
    f"""CREATE TRIGGER events_are_append_only BEFORE UPDATE OR DELETE ON {TABLE}
    FOR EACH ROW EXECUTE FUNCTION refuse_to_rewrite_events()""",
    f"""CREATE TRIGGER events_are_not_truncated BEFORE TRUNCATE ON {TABLE}
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_rewrite_events()""",
]
UNDO = {
    "sqlite": [f"DROP TRIGGER events_are_append_only_{what}" for what in ("update", "delete")],
    "postgresql": [
        f"DROP TRIGGER events_are_not_truncated ON {TABLE}",
        f"DROP TRIGGER events_are_append_only ON {TABLE}",
        "DROP FUNCTION refuse_to_rewrite_events",
    ],
}


def refuse(apps, editor):
    for statement in {"sqlite": SQLITE, "postgresql": POSTGRESQL}[editor.connection.vendor]:
        editor.execute(statement)


def allow(apps, editor):
    for statement in UNDO[editor.connection.vendor]:
        editor.execute(statement)


class Migration(migrations.Migration):
    dependencies = [("shipments", "0017_audit_is_not_truncated")]
    operations = [migrations.RunPython(refuse, allow)]
