"""Serve the page from which staff call the agent: whom to be, and the right to one stream."""

from collections.abc import Sequence

from django.contrib import admin
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from shipments.admin.columns import member
from shipments.personas import Part, Persona, personas
from voice import softphone
from voice.errors import NotRungError

_PARTS = {Part.CUSTOMER: "Customers", Part.DRIVER: "Drivers"}


@require_http_methods(["GET", "HEAD", "POST"])
def softphone_page(request: HttpRequest) -> HttpResponse:
    """Show the softphone; when it rings, answer the address of its stream, or why there is none."""
    user = member(request)
    if not user.has_perm(softphone.RIGHT):
        raise PermissionDenied
    if request.method == "POST":
        return _rung(request.POST.get("persona", ""), user)
    context = admin.site.each_context(request) | {
        "title": "Call the agent",
        "people": _by_part(personas(user)),
    }
    return TemplateResponse(request, "admin/voice/softphone.html", context)


def _rung(key: str, user: User) -> HttpResponse:
    try:
        opening = softphone.ring(key, by=user, now=timezone.now())
    except NotRungError as refusal:
        return JsonResponse({"error": str(refusal)}, status=409)
    page = reverse("admin:voice_call_change", args=[opening.facts.call_id])
    return JsonResponse({"stream": f"/audio/{opening.token}", "page": page})


def _by_part(found: Sequence[Persona]) -> list[tuple[str, list[Persona]]]:
    several = ((label, [one for one in found if one.part is part]) for part, label in _PARTS.items())
    return [(label, people) for label, people in several if people]
