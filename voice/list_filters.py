"""Narrow lists by what the dashboard counts: the calls that it timed, and the changes out of calls."""

from typing import Any

from django.contrib.admin import SimpleListFilter
from django.db.models import QuerySet
from django.http import HttpRequest

from shipments.models import DeliveryChange
from voice.models import Call
from voice.statuses import Purpose

_MEASURED = {
    "first": ("Answer → first audio", "timings__first_audio_ms"),
    "answers": ("Caller stops → agent heard", "timings__answers_ms__0"),
}


class Timed(SimpleListFilter):
    """Choose the calls in which a delay was measured."""

    title = "measured"
    parameter_name = "timed"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the delays to choose from."""
        return [(what, title) for what, (title, _) in _MEASURED.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Call]) -> QuerySet[Call]:
        """Return the calls in which the chosen one was measured."""
        _, timing = _MEASURED.get(self.value() or "", ("", ""))
        if not timing:
            return queryset
        return queryset.filter(**{f"{timing}__isnull": False}).exclude(**{timing: None})  # no key; or null


class PurposeOfCall(SimpleListFilter):
    """Choose changes by what the call was for in which they were asked for."""

    title = "purpose of the call"
    parameter_name = "call_purpose"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the purposes to choose from."""
        return [("enquiry", "Enquiry"), *Purpose.choices]

    def queryset(self, request: HttpRequest, queryset: QuerySet[DeliveryChange]) -> QuerySet[DeliveryChange]:
        """Return the changes out of calls for the chosen purpose."""
        if not (purpose := self.value()):
            return queryset
        return queryset.filter(call_public_id__in=Call.objects.filter(purpose=purpose).values("public_id"))
