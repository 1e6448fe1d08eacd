"""Show the courier's systems the calls about their parcels, and let them have customers called."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django.urls import path
from django.utils import timezone
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.status import HTTP_200_OK, HTTP_202_ACCEPTED

from shipments.api import urls  # noqa: F401 # it knows how tracking ids stand in an address
from shipments.api.access import client_in
from shipments.api.describe import described
from shipments.api.edge import ClientView, Filters, filters, page, read
from shipments.api.parcels import parcel_of, seen
from shipments.clients import Scope
from shipments.phones import mask_numbers
from shipments.reading import Exact
from voice.dial_rules import At, Never, Now
from voice.dialing import Planned
from voice.models import Call
from voice.orders import order_call
from voice.statuses import CallStatus, Direction, Outcome, Purpose

_SAME = ("direction", "status", "outcome")


class CallOut(serializers.ModelSerializer[Call]):
    """A call as it is now."""

    tracking_id = serializers.CharField(source="shipment.tracking_id", default=None, allow_null=True)
    number = serializers.SerializerMethodField(help_text="E.164; its last digits without `numbers:read`")
    duration_s = serializers.IntegerField(read_only=True, allow_null=True)

    class Meta:
        model = Call
        fields = (
            *("public_id", "direction", "status", "ended_reason", "outcome", "purpose", "language", "level"),
            *("tracking_id", "number", "created_at", "answered_at", "ended_at", "duration_s"),
            *("cost_kes_minor", "cost_usd_micros"),
        )
        read_only_fields = fields

    def get_number(self, call: Call) -> str:
        """Return the customer's number, as far as this client may see it."""
        return call.customer_number if self.context.get("numbers") else call.masked_number


class TurnOut(serializers.Serializer[Any]):
    """What one side said in one go; milliseconds since the stream opened."""

    speaker = serializers.CharField()
    text = serializers.CharField()
    started_ms = serializers.IntegerField()
    ended_ms = serializers.IntegerField()


class CallWithWords(CallOut):
    """A call with what was said in it."""

    transcript = serializers.SerializerMethodField(
        allow_null=True, help_text="null without `transcripts:read`"
    )

    class Meta:
        model = Call
        fields = (*CallOut.Meta.fields, "transcript")
        read_only_fields = fields

    def get_transcript(self, call: Call) -> list[dict[str, Any]] | None:
        """Return what was said, if this client may read it; numbers in it as far as it may see those."""
        if not self.context.get("words"):
            return None
        shown: list[dict[str, Any]] = [dict(TurnOut(turn).data) for turn in call.turns.all()]
        if not self.context.get("numbers"):
            shown = [turn | {"text": mask_numbers(str(turn["text"]))} for turn in shown]
        return shown


class CallPage(serializers.Serializer[Any]):
    """Some calls, the newest first."""

    results = CallOut(many=True)
    next = serializers.CharField(allow_null=True, help_text="the `cursor` of the next page")


class CallFilters(Filters):
    """Which calls are asked for."""

    direction = serializers.ChoiceField(choices=Direction.choices, required=False)
    status = serializers.ChoiceField(choices=CallStatus.choices, required=False)
    outcome = serializers.ChoiceField(choices=Outcome.choices, required=False)
    tracking_id = serializers.CharField(max_length=32, required=False)
    since = serializers.DateTimeField(required=False, help_text="begun then or later")
    until = serializers.DateTimeField(required=False, help_text="begun before")


class OrderIn(Exact):
    """Why a customer is to be called."""

    purpose = serializers.ChoiceField(choices=Purpose.choices)


class OrderOut(serializers.Serializer[Any]):
    """What the gate says of a call, and how far it has come."""

    answer = serializers.ChoiceField(choices=["now", "at", "never"])
    at = serializers.DateTimeField(allow_null=True, help_text="not before then")
    sentence = serializers.CharField()
    state = serializers.CharField(allow_null=True, help_text="of the call that is planned or under way")


class CallsView(ClientView):
    """The calls about a client's parcels."""

    scopes: ClassVar[Mapping[str, str]] = {"GET": Scope.CALLS_READ}

    @described("list_calls", {200: CallPage}, filters=CallFilters)
    def get(self, request: Request) -> Response:
        """Return a page of calls."""
        client, asked = client_in(request), filters(CallFilters, request)
        names = {name: name for name in _SAME}
        names |= {
            "tracking_id": "shipment__tracking_id",
            "since": "created_at__gte",
            "until": "created_at__lt",
        }
        rows = client.within_reach(Call.objects.by_telephone().for_list(), "shipment__shipper")
        found, following = page(
            rows.filter(**{names[name]: asked[name] for name in names if name in asked}), asked
        )
        return Response({"results": CallOut(found, many=True, context=seen(client)).data, "next": following})


class CallView(ClientView):
    """One call."""

    scopes: ClassVar[Mapping[str, str]] = {"GET": Scope.CALLS_READ}

    @described("show_call", {200: CallWithWords}, path="public_id")
    def get(self, request: Request, public_id: str) -> Response:
        """Return a call, with what was said for who may read it."""
        client = client_in(request)
        calls = client.within_reach(Call.objects.by_telephone().for_list(), "shipment__shipper")
        call = calls.filter(public_id=public_id).first()
        if call is None:
            raise NotFound("There is no such call.")
        context = seen(client) | {"words": client.may([Scope.TRANSCRIPTS_READ])}
        return Response(CallWithWords(call, context=context).data)


class OrderView(ClientView):
    """A call to a parcel's recipient."""

    scopes: ClassVar[Mapping[str, str]] = {"POST": Scope.CALLS_PLACE}

    @described("order_call", {200: OrderOut, 202: OrderOut}, takes=OrderIn, path="tracking_id")
    def post(self, request: Request, tracking_id: str) -> Response:
        """Have a customer called, if the gate allows it: 202 when a call is planned, 200 when none is."""
        client = client_in(request)
        purpose = read(OrderIn, request.data)["purpose"]
        planned = order_call(parcel_of(client, tracking_id), purpose, by=client.actor, now=timezone.now())
        made = not isinstance(planned.answer, Never)
        return Response(OrderOut(_told(planned)).data, status=HTTP_202_ACCEPTED if made else HTTP_200_OK)


def _told(planned: Planned) -> dict[str, object]:
    state = planned.outbound.state if planned.outbound else None
    match planned.answer:
        case Now(because):
            return {"answer": "now", "at": None, "sentence": because, "state": state}
        case At(when, because):
            return {"answer": "at", "at": when, "sentence": because, "state": state}
        case Never(because):
            return {"answer": "never", "at": None, "sentence": because, "state": state}


urlpatterns = [
    path("calls", CallsView.as_view(), name="calls"),
    path("calls/<slug:public_id>", CallView.as_view(), name="call"),
    path("shipments/<tracking_id:tracking_id>/calls", OrderView.as_view(), name="order-call"),
]
