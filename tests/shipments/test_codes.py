"""Delivery codes and shift PINs are checked, never kept."""

import pytest

from shipments import codes
from shipments.audit import AuditEntry
from shipments.models import Shipment
from shipments.riders import Driver
from tests.shipments.builders import NOW, a_parcel


def test_only_the_code_that_was_sealed_opens():
    sealed = codes.seal("0417")

    assert codes.opens("0417", sealed)
    for wrong in ("417", "0418", "04170", "", "０４１７", "0417\n", "0" * 5000):
        assert not codes.opens(wrong, sealed)


@pytest.mark.parametrize("code", ["123", "1234567", "12a4", "", "１２３４", "1234\n"])
def test_only_four_to_six_digits_are_sealed(code):
    with pytest.raises(ValueError, match="four to six"):
        codes.seal(code)


def test_two_seals_of_one_code_differ_and_show_nothing_of_it():
    first, second = codes.seal("041799"), codes.seal("041799")

    assert first != second
    assert not codes.opens("041799", first.partition("$")[0] + "$" + second.partition("$")[2])


def test_nothing_opens_where_no_code_was_set():
    assert not any(codes.opens(code, "") for code in ("", "0000", "000000"))


def test_a_new_secret_key_keeps_old_codes_while_the_old_key_is_listed(settings):
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "old", []
    sealed = codes.seal("2468")

    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "new", ["old"]
    assert codes.opens("2468", sealed)
    settings.SECRET_KEY_FALLBACKS = []
    assert not codes.opens("2468", sealed)


@pytest.mark.django_db
def test_a_parcel_keeps_a_seal_of_its_code():
    parcel = a_parcel()
    parcel.set_pin("4711")
    parcel.save()

    parcel = Shipment.objects.get()
    assert parcel.is_pin("4711")
    assert not parcel.is_pin("4712")
    assert "4711" not in str(parcel.__dict__)


@pytest.mark.django_db
def test_a_shift_pin_opens_only_while_the_shift_runs():
    driver = Driver.objects.create(name="Sample Driver", on_shift=True)
    driver.set_shift_pin("9081")

    assert driver.is_shift_pin("9081")
    driver.on_shift = False
    assert not driver.is_shift_pin("9081")


@pytest.mark.django_db
def test_an_audit_entry_is_never_rewritten():
    AuditEntry.objects.create(at=NOW, actor="a", verb="v", object_kind="shipment", object_id="1")
    entry = AuditEntry.objects.get()

    for rewrite in (
        entry.save,
        entry.delete,
        AuditEntry.objects.all().delete,
        lambda: AuditEntry.objects.update(actor="b"),
    ):
        with pytest.raises(TypeError):
            rewrite()
