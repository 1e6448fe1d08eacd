"""Tell the number of record what became of its parcel: written with the change, sent afterwards until taken.

A message goes to the number of record and to no other: a recipient's, or that of the driver whose next stop
it is about. Its words are made here, and hold no code, no street and nothing that somebody typed; the code of
a gate is put in as the message is handed over, and stands in no row.
"""

import logging
from datetime import datetime, timedelta
from typing import ClassVar, Protocol

from django.conf import settings
from django.db import models
from django.db.models import F, Q, TextChoices
from django.utils.module_loading import import_string

from shipments.phones import masked
from shipments.riders import Stop

logger = logging.getLogger(__name__)

_FIRST_WAIT_S, _LONGEST_WAIT_S = 10, 3_600
"""How long after a failed try the next one comes: twice as long each time, and never given up."""
_LEASE = timedelta(minutes=2)
_AT_ONCE = 100
CODE_PLACE = "[code]"
"""What stands for the code of a gate in a message that was written and not yet handed over."""


class MessageKind(TextChoices):
    """What a message tells of."""

    CHANGE = "change", "A change of a delivery"
    ADDRESS = "address", "A confirmed address"
    CODE = "code", "A delivery code that was tried too often"
    ACCESS = "access", "The code of a gate, to its driver"


class MessageState(TextChoices):
    """How far a message has come."""

    WAITING = "waiting", "Waiting"
    SENT = "sent", "Sent"


class OutgoingMessageQuerySet(models.QuerySet["OutgoingMessage"]):
    """Look messages up as their job needs them."""

    def due(self, now: datetime) -> "OutgoingMessageQuerySet":
        """Return what is to be tried now, the longest due first."""
        waiting = self.filter(state=MessageState.WAITING, next_at__lte=now)
        return waiting.select_related("shipment__address").order_by("next_at", "pk")


class OutgoingMessage(models.Model):
    """One message to one number, once a key."""

    idempotency_key = models.CharField(max_length=128, unique=True)
    shipment = models.ForeignKey("shipments.Shipment", on_delete=models.CASCADE, related_name="messages")
    number = models.CharField(max_length=16, help_text="E.164")
    kind = models.CharField(max_length=16, choices=MessageKind.choices)
    text = models.CharField(max_length=480)
    state = models.CharField(max_length=12, choices=MessageState.choices, default=MessageState.WAITING)
    tries = models.PositiveIntegerField(default=0)
    next_at = models.DateTimeField()
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[OutgoingMessageQuerySet] = OutgoingMessageQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        app_label = "shipments"
        ordering = ("-created_at", "-pk")
        verbose_name = "message"
        indexes = (
            models.Index(fields=["next_at", "id"], condition=Q(state="waiting"), name="message_that_waits"),
        )

    def __str__(self) -> str:
        return f"{self.get_kind_display()} · {masked(self.number)}"


class MessageNotTakenError(Exception):
    """Whoever carries messages does not take this one now: it is tried again."""


class MessageSender(Protocol):
    """Carries messages to telephones; a key that it has seen before is the same message again."""

    def send(self, number: str, text: str, key: str) -> None:
        """Send a text to a number (E.164).

        Raises:
            MessageNotTakenError: it could not be handed over.
        """


class EmbeddedSender:
    """Sends nothing anywhere: for development and demo parcels, whose messages are read in the admin."""

    def send(self, number: str, text: str, key: str) -> None:
        """Take the message."""


def send_due(now: datetime, *, sender: MessageSender | None = None) -> int:
    """Hand over what is due; return how many were tried."""
    carrier: MessageSender = sender or import_string(settings.MESSAGE_SENDER)()
    due = list(OutgoingMessage.objects.due(now)[:_AT_ONCE])
    return sum(_try(message, carrier, now) for message in due)


def _try(message: OutgoingMessage, carrier: MessageSender, now: datetime) -> bool:
    """Try a message, unless another worker took it first."""
    waiting = OutgoingMessage.objects.filter(pk=message.pk, state=MessageState.WAITING)
    if not waiting.filter(next_at=message.next_at).update(next_at=now + _LEASE, tries=F("tries") + 1):
        return False
    if message.shipment.is_demo:  # whoever really has that number has nothing to do with it
        carrier = EmbeddedSender()
    try:
        carrier.send(message.number, _words(message, now), message.idempotency_key)
    except MessageNotTakenError:
        logger.warning("a message was not taken", extra={"tries": message.tries + 1})
        wait_s = min(_FIRST_WAIT_S * 2 ** min(message.tries, 16), _LONGEST_WAIT_S)
        waiting.update(next_at=now + timedelta(seconds=wait_s))
    else:
        waiting.update(state=MessageState.SENT, sent_at=now)
    return True


def _words(message: OutgoingMessage, now: datetime) -> str:
    """Return what is sent; a code only to a driver on shift who still goes there next."""
    if message.kind != MessageKind.ACCESS:
        return message.text
    shipment = message.shipment
    stop = Stop.objects.next_of(message.number, now, demo=shipment.is_demo)
    is_next = stop is not None and stop.shipment_id == shipment.pk
    code = shipment.address.gate_code if is_next else "no longer needed"
    return message.text.replace(CODE_PLACE, code)
