"""What the desk keeps besides parcels, and that it is written down."""

from typing import Any

import pytest

from shipments import desk
from shipments.audit import AuditEntry
from shipments.errors import NoReasonError
from tests.shipments.builders import AMINA, NOW, staff

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("reason", ["", "  \n"])
def test_nothing_is_revealed_or_settled_without_a_reason(reason):
    shared: dict[str, Any] = {
        "kind": "call",
        "object_id": "c" * 16,
        "by": staff(),
        "reason": reason,
        "now": NOW,
    }

    with pytest.raises(NoReasonError):
        desk.reveal_number(number=AMINA, **shared)
    with pytest.raises(NoReasonError):
        desk.look_into(**shared)

    assert not AuditEntry.objects.exists()


def test_a_wish_is_kept_with_what_it_was_before_and_the_first_day_of_an_opt_out_stands():
    shared: dict[str, Any] = {"number": AMINA, "quiet_hours": "", "by": staff("dana")}

    first = desk.keep_wishes(opted_out=True, language="", now=NOW, **shared)
    later = NOW.replace(day=25)
    again = desk.keep_wishes(opted_out=True, language="sw", now=later, **shared)
    lifted = desk.keep_wishes(opted_out=False, language="sw", now=later, **shared)
    desk.keep_wishes(opted_out=False, language="sw", now=later, **shared)

    assert first.opted_out_at == again.opted_out_at == NOW
    assert lifted.opted_out_at is None
    written = [(one.before["opted_out"], one.after["opted_out"]) for one in AuditEntry.objects.order_by("pk")]
    assert written == [(False, True), (True, True), (True, False)]
