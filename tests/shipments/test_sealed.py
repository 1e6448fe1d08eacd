"""What has to be read again is sealed in the database."""

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from shipments import sealed
from shipments.models import Address
from tests.shipments.builders import an_address


def stored() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT access_code FROM shipments_address")
        [[column]] = cursor.fetchall()
    return str(column)


def test_twice_the_same_text_is_not_twice_the_same():
    first, second = sealed.seal("4711"), sealed.seal("4711")

    assert first != second
    assert "4711" not in first + second
    assert sealed.unseal(first) == sealed.unseal(second) == "4711"


def test_what_an_earlier_key_sealed_is_read_while_that_key_is_listed(settings):
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "old", []
    old = sealed.seal("4711")

    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "new", ["old"]

    assert sealed.unseal(old) == "4711"


@pytest.mark.logs_errors
@pytest.mark.parametrize("column", ["", "4711", "gAAAAA", "\x00", "é"])
def test_what_cannot_be_read_is_nothing(column):
    assert sealed.unseal(column) == ""


@pytest.mark.logs_errors
def test_another_installation_reads_nothing(settings):
    ours = sealed.seal("4711")
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another", []

    assert sealed.unseal(ours) == ""


@pytest.mark.django_db
def test_the_code_of_a_gate_is_read_here_and_not_in_the_database():
    address = an_address(access_code="4711")

    assert "4711" not in stored()
    assert Address.objects.get().gate_code == "4711"
    address.save()
    assert Address.objects.get().gate_code == "4711"
    assert Address.objects.filter(access_code="4711").count() == 0


@pytest.mark.django_db
def test_no_code_stays_none():
    an_address(access_code="")

    assert stored() == ""
    assert Address.objects.get().gate_code == ""


@pytest.mark.django_db(transaction=True)
def test_what_was_plain_is_sealed_by_the_migration_and_opened_on_the_way_back():
    an_address(access_code="4711")

    newest = MigrationExecutor(connection).loader.graph.leaf_nodes()  # of every app, for the tests after this

    try:
        MigrationExecutor(connection).migrate([("shipments", "0012_rounds")])
        plain = stored()
    finally:
        MigrationExecutor(connection).migrate(newest)

    assert plain == "4711"
    assert "4711" not in stored()
    assert Address.objects.get().gate_code == "4711"
