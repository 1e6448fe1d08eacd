"""Have the database itself refuse to rewrite the audit, whoever asks.

A later migration that makes SQLite build this table anew drops the triggers with the old one, and has to
run these statements again; tests/shipments/test_audit.py notices.
"""

from django.db import migrations

TABLE = "shipments_auditentry"
REFUSAL = "audit entries are append-only"
SQLITE = [
    f"""CREATE TRIGGER audit_is_append_only_{what.lower()} BEFORE {what} ON {TABLE}
    BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"""
    for what in ("UPDATE", "DELETE")
]
POSTGRESQL = [
    f"""CREATE FUNCTION refuse_to_rewrite_audit() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION '{REFUSAL}' USING ERRCODE = 'integrity_constraint_violation'; END $$""",
    f"""CREATE TRIGGER audit_is_append_only BEFORE UPDATE OR DELETE ON {TABLE}
    FOR EACH ROW EXECUTE FUNCTION refuse_to_rewrite_audit()""",
]
UNDO = {
    "sqlite": [f"DROP TRIGGER audit_is_append_only_{what}" for what in ("update", "delete")],
    "postgresql": [f"DROP TRIGGER audit_is_append_only ON {TABLE}", "DROP FUNCTION refuse_to_rewrite_audit"],
}


def refuse(apps, editor):
    for statement in {"sqlite": SQLITE, "postgresql": POSTGRESQL}[editor.connection.vendor]:
        editor.execute(statement)


def allow(apps, editor):
    for statement in UNDO[editor.connection.vendor]:
        editor.execute(statement)


class Migration(migrations.Migration):
    dependencies = [("shipments", "0004_staff_of_depots")]
    operations = [migrations.RunPython(refuse, allow)]
