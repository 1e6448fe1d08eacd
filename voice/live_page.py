"""Serve the page of live calls, and take what its reader wants of one of them."""

from uuid import UUID

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from shipments.admin.columns import member
from voice import live, steering
from voice.errors import NotOrderedError
from voice.events import Order


@require_http_methods(["GET", "HEAD"])
def live_page(request: HttpRequest) -> HttpResponse:
    """Show the page; what it shows comes by the desk's socket."""
    user = member(request)
    if not user.has_perm(live.SEES):
        raise PermissionDenied
    context = admin.site.each_context(request) | {
        "title": "Live calls",
        "orders": live.orders_of(user),
        "heard": user.has_perm(live.HEARS),
        "longest": steering.LONGEST,
    }
    return TemplateResponse(request, "admin/voice/live.html", context)


@require_POST
def order(request: HttpRequest) -> HttpResponse:
    """Give an order for a call; its answer is a sentence for who gave it.

    One that is sent again has the id that it had before, so that it acts once.
    """
    user = member(request)
    try:
        wanted = Order(request.POST.get("order", ""))
    except ValueError:
        return JsonResponse({"error": "There is no such order."}, status=400)
    try:
        order_id = UUID(request.POST.get("id", ""))
    except ValueError:
        return JsonResponse({"error": "This order has no id. Load this page again."}, status=400)
    if not user.has_perm(live.SEES) or not user.has_perm(steering.RIGHTS[wanted]):
        raise PermissionDenied
    call, words = request.POST.get("call", ""), request.POST.get("words", "")
    try:
        taken = steering.give(wanted, call, order_id=order_id, words=words, by=user, now=timezone.now())
    except NotOrderedError as refusal:
        return JsonResponse({"error": str(refusal)}, status=409)
    if not taken:
        return JsonResponse({"unconfirmed": _UNCONFIRMED}, status=202)
    return JsonResponse({"done": f"The call has taken it. {_DONE[wanted]}"})


_UNCONFIRMED = "Not confirmed: the call may not have heard this. Send it again?"
_DONE = {
    Order.END: "The agent says goodbye, and the call ends.",
    Order.NOTE: "The agent is told as soon as nobody speaks.",
    Order.SAY: "The agent says it as soon as nobody speaks.",
    Order.MESSAGE: "The agent takes a message for a call-back as soon as nobody speaks.",
}
