"""A delivery code cannot be guessed, one after the other or all at once."""

import pytest

from shipments.models import Shipment
from shipments.proofs import try_pin
from shipments.rules import POLICY
from tests.rivals import at_once
from tests.shipments.builders import a_parcel


def a_parcel_with(code) -> Shipment:
    parcel = a_parcel()
    parcel.set_pin(code)
    parcel.save()
    return parcel


@pytest.mark.django_db
def test_the_right_code_opens_and_forgives_the_wrong_ones():
    parcel = a_parcel_with("4711")

    assert not try_pin(parcel.pk, "4712")
    assert Shipment.objects.get().pin_failures == 1
    assert try_pin(parcel.pk, "4711")
    assert Shipment.objects.get().pin_failures == 0


@pytest.mark.django_db
def test_after_too_many_wrong_codes_the_right_one_is_wrong_until_a_new_one_is_set():
    parcel = a_parcel_with("4711")
    for _ in range(POLICY.pin_failures):
        try_pin(parcel.pk, "0000")

    assert not try_pin(parcel.pk, "4711")
    parcel = Shipment.objects.get()
    parcel.set_pin("2580")
    parcel.save()
    assert try_pin(parcel.pk, "2580")


@pytest.mark.django_db
def test_a_parcel_without_a_code_and_one_that_does_not_exist_answer_alike():
    assert not try_pin(a_parcel().pk, "")
    assert not try_pin(a_parcel().pk, "0000")
    assert not try_pin(10**9, "0000")


@pytest.mark.django_db(transaction=True)
def test_wrong_codes_tried_at_once_are_all_counted():
    parcel = a_parcel_with("4711")

    answers = at_once(*[lambda: try_pin(parcel.pk, "0000")] * (POLICY.pin_failures + 2))

    assert not any(answers)
    assert Shipment.objects.get().pin_failures == POLICY.pin_failures
