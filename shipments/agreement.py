"""Keep what was read back in a call: it waits there for a yes, is used up by it once, or becomes void."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Self, TypeVar

from django.db import models, transaction

from shipments.errors import NoProposalError, ProposalExpiredError
from shipments.rules import POLICY
from shipments.spelling import said_ref
from shipments.statuses import ChangeState
from shipments.tracking import new_ref

_Row = TypeVar("_Row", bound="Proposal")
_CONFIRMED = (ChangeState.APPLIED, ChangeState.NEEDS_APPROVAL, ChangeState.APPROVED, ChangeState.REJECTED)
_REF_LIMIT = 16


class ProposalQuerySet(models.QuerySet[_Row]):
    """Look proposals up and move them, as each of their two steps needs it."""

    def read_back_in(self, call_public_id: str, said: str) -> Self:
        """Return what was read back in this call under a reference, however that is spelled."""
        if not call_public_id:
            return self.none()
        return self.filter(ref=said_ref(said)[:_REF_LIMIT], call_public_id=call_public_id)

    def standing(self, key: str, now: datetime) -> Self:
        """Return the proposal made under this key, if it may still be agreed to."""
        return self.filter(
            idempotency_key__startswith=f"{key}:", state=ChangeState.PROPOSED, expires_at__gte=now
        )

    def void(self, call_public_id: str) -> None:
        """Have nothing that was read back in this call stand any more."""
        proposed = self.filter(call_public_id=call_public_id, state=ChangeState.PROPOSED)
        proposed.update(state=ChangeState.SUPERSEDED)

    def propose(self, *, key: str, call_public_id: str, read_back: str, now: datetime, **fields: Any) -> _Row:
        """Write down what is read back; an earlier one under this key is over."""
        earlier = self.filter(idempotency_key__startswith=f"{key}:").count()
        return self.create(
            idempotency_key=f"{key}:{earlier}",
            call_public_id=call_public_id,
            read_back=read_back,
            created_at=now,
            expires_at=now + timedelta(seconds=POLICY.proposal_s),
            **fields,
        )

    def use_up(
        self, proposal: _Row, carry_out: Callable[[], object], *, behind: Callable[[], object], now: datetime
    ) -> None:
        """Do what was agreed to, in one transaction: said twice, it happens once.

        `carry_out` moves the proposal on from CONFIRMED_BY_CALLER; `behind` takes the lock behind which it
        was made.

        Raises:
            ShipmentError: it stands no more, or what it is about has changed since.
        """
        if proposal.state in _CONFIRMED:
            return
        if proposal.state != ChangeState.PROPOSED:
            raise NoProposalError
        proposed = self.filter(pk=proposal.pk, state=ChangeState.PROPOSED)
        if now > proposal.expires_at:
            proposed.update(state=ChangeState.EXPIRED)
            raise ProposalExpiredError
        with transaction.atomic():
            # In the order of a proposal, which makes earlier ones void behind that lock: the other way round
            # the two would wait for each other.
            behind()
            # Nothing is moved when the same yes came twice: the first one does it.
            if proposed.filter(expires_at__gte=now).update(state=ChangeState.CONFIRMED_BY_CALLER):
                carry_out()
        proposal.refresh_from_db()
        if proposal.state not in _CONFIRMED:
            raise NoProposalError


class Proposal(models.Model):
    """Something that was read back in a call, from then to what became of it."""

    ref = models.CharField(max_length=_REF_LIMIT, unique=True, default=new_ref)
    state = models.CharField(max_length=24, choices=ChangeState.choices, default=ChangeState.PROPOSED)
    call_public_id = models.CharField(max_length=16, blank=True, db_index=True)
    idempotency_key = models.CharField(max_length=128, unique=True)
    read_back = models.TextField(max_length=1000, blank=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()

    class Meta:
        abstract = True
