"""Serve the page from which staff call the agent: whom to be, and the right to one stream."""

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from shipments.admin.columns import member
from voice import softphone
from voice.errors import NotRungError

RIGHT = "voice.place_test_call"


@require_POST
def softphone_page(request: HttpRequest) -> HttpResponse:
    """Begin a test call and answer the address of its stream, or why there is none."""
    user = member(request)
    if not user.has_perm(RIGHT):
        raise PermissionDenied
    try:
        opening = softphone.ring(request.POST.get("persona", ""), by=user, now=timezone.now())
    except NotRungError as refusal:
        return JsonResponse({"error": str(refusal)}, status=409)
    page = reverse("admin:voice_call_change", args=[opening.facts.call_id])
    return JsonResponse({"stream": f"/audio/{opening.token}", "page": page})
