"""Read the line as it is now for who watches it: the calls that run, and the conversation of one."""

from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.auth.models import User
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.urls import reverse

from voice import news
from voice.models import Call, ToolRun, Turn
from voice.records import News, ToolRecord, TurnRecord
from voice.steering import RIGHTS

SEES, HEARS = "voice.view_call", "voice.view_transcript"
MOST = 200
"""How many calls are shown: more than one process carries, and as many as somebody can look at."""


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who watches the line; `heard` when he may read what is said."""

    user: User
    heard: bool


def viewer_of(session_key: str | None) -> Viewer | None:
    """Return who is logged in under a session now, if he may see calls; asked anew, since that may end."""
    if not session_key:
        return None
    request = HttpRequest()
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(session_key)
    user = get_user(request)
    if not isinstance(user, User) or not (user.is_active and user.is_staff and user.has_perm(SEES)):
        return None
    return Viewer(user, user.has_perm(HEARS))


def orders_of(user: User) -> list[str]:
    """Return the orders that somebody may give for a call that he sees."""
    return [order.value for order, right in RIGHTS.items() if user.has_perm(right)]


def line(viewer: Viewer) -> dict[str, dict[str, Any]]:
    """Return the calls that run and that this viewer may see, by their public ids, the newest first."""
    calls = _watched(viewer)[:MOST]
    return {call.public_id: _row(call, viewer) for call in calls}


def row(viewer: Viewer, public_id: str) -> dict[str, Any] | None:
    """Return one call that runs; None when there is none, or not for this viewer."""
    call = _watched(viewer).filter(public_id=public_id).first()
    return None if call is None else _row(call, viewer)


def conversation(viewer: Viewer, public_id: str) -> list[news.Message]:
    """Return what was said and done so far in a call that this viewer may see, as it was kept."""
    call = Call.objects.seen_by(viewer.user).filter(public_id=public_id).first()
    if call is None:
        return []
    turns = [
        TurnRecord(one.position, one.speaker, one.text, one.started_ms, one.ended_ms, one.interrupted)
        for one in call.turns.all()
    ]
    runs = [
        ToolRecord(
            model_call_id=one.model_call_id,
            name=one.name,
            business_key="",
            arguments={},
            result=one.result,
            state=one.state,
            started_ms=one.started_ms,
            duration_ms=one.duration_ms,
        )
        for one in ToolRun.objects.filter(call=call)
    ]
    kept: list[News] = [*turns, *runs]
    told = [news.for_viewer(news.message(one), heard=viewer.heard) for one in kept]
    return sorted((one for one in told if one is not None), key=lambda one: int(one["at_ms"]))


def _watched(viewer: Viewer) -> QuerySet[Call]:
    last = Turn.objects.filter(call=OuterRef("pk")).order_by("-position")
    return (
        Call.objects.seen_by(viewer.user)
        .live()
        .for_list()
        .annotate(last_by=Subquery(last.values("speaker")[:1]), last_text=Subquery(last.values("text")[:1]))
    )


def _row(call: Any, viewer: Viewer) -> dict[str, Any]:
    began: datetime = call.answered_at or call.created_at
    shown = {
        "id": call.public_id,
        "page": reverse("admin:voice_call_change", args=[call.pk]),
        "way": "Test call" if call.is_test else call.get_direction_display(),
        "customer": call.masked_number,
        "status": call.get_status_display(),
        "runs": call.answered_at is not None,
        "began": began.isoformat(),
        "level": call.get_level_display(),
        "parcel": "",
        "parcel_page": "",
    }
    if call.shipment is not None:
        shown |= {
            "parcel": call.shipment.tracking_id,
            "parcel_page": reverse("admin:shipments_shipment_change", args=[call.shipment.pk]),
        }
    if viewer.heard and call.last_text:
        shown["last"] = {"by": call.last_by, "text": news.shown(call.last_by, call.last_text)}
    return shown
