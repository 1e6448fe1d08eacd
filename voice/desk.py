"""Serve the desk's own pages and its sidebar: what waits, and where everything is."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone

from shipments.admin.columns import member
from voice import live, softphone, worklist
from voice.shared import DialSwitch

_URGENCY = {"Late": "danger", "Now": "warning", "Later": "info"}
_MODELS = (
    # group, title, icon, model
    ("Parcels", "Parcels", "package_2", "shipments_shipment"),
    ("Parcels", "Changes", "published_with_changes", "shipments_deliverychange"),
    ("Parcels", "Files of parcels", "upload_file", "shipments_parcelfile"),
    ("Parcels", "Addresses", "location_on", "shipments_address"),
    ("Parcels", "Messages", "sms", "shipments_outgoingmessage"),
    ("Calls", "Calls", "call", "voice_call"),
    ("Calls", "Placed calls", "phone_forwarded", "voice_outboundcall"),
    ("Calls", "Call-back requests", "phone_callback", "voice_callbackrequest"),
    ("Depots", "Depots and windows", "warehouse", "shipments_depot"),
    ("Depots", "Riders", "two_wheeler", "shipments_driver"),
    ("Depots", "Holidays", "event_busy", "shipments_holiday"),
    ("People", "Wishes of customers", "contact_phone", "shipments_contactpreference"),
    ("People", "Staff", "badge", "auth_user"),
    ("People", "Roles", "groups", "auth_group"),
    ("People", "API clients", "key", "shipments_apiclient"),
    ("People", "Webhooks", "webhook", "shipments_endpoint"),
    ("People", "What systems are told", "outbox", "shipments_notice"),
    ("People", "Audit", "policy", "shipments_auditentry"),
)


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the sidebar: what waits with how much of it, then every list that this user may open."""
    user = member(request)
    counted = worklist.counts(user, timezone.now())
    page, chosen = reverse("worklist"), request.GET.get("kind", "")
    here = request.path == page
    waiting: list[dict[str, Any]] = [
        _item("Dashboard", "dashboard", reverse("admin:index"), active=request.path == reverse("admin:index"))
    ]
    if counted:
        everything = _item("Worklist", "checklist", page, active=here and chosen not in counted)
        waiting.append(everything | {"badge": sum(counted.values())})
    waiting += [
        _item(worklist.KINDS[kind], _ICONS[kind], f"{page}?kind={kind}", active=here and chosen == kind)
        | {"badge": count}
        for kind, count in counted.items()
    ]
    groups: dict[str, list[dict[str, Any]]] = {"": waiting}
    if user.has_perm(live.SEES):
        page = reverse("live")
        groups["Calls"] = [_item("Live calls", "graphic_eq", page, active=request.path == page)]
    for group, title, icon, model in _MODELS:
        app, _, name = model.partition("_")
        if user.has_perm(f"{app}.view_{name}"):
            groups.setdefault(group, []).append(_item(title, icon, reverse(f"admin:{model}_changelist")))
    if user.has_perm(softphone.RIGHT):
        page = reverse("softphone")
        item = _item("Call the agent", "headset_mic", page, active=request.path == page)
        groups.setdefault("Calls", []).append(item)
    return [{"title": title, "separator": bool(title), "items": items} for title, items in groups.items()]


_ICONS = {"change": "rule", "callback": "phone_callback", "unproved": "gpp_maybe", "problem": "report"}


def _item(title: str, icon: str, link: str, **more: object) -> dict[str, Any]:
    return {"title": title, "icon": icon, "link": link} | more


def warn_of_pause(request: HttpRequest) -> None:
    """Say on this page that all dialling is stopped, by whom and why, to those who see what is planned."""
    if request.method != "GET" or not member(request).has_perm("voice.view_outboundcall"):
        return
    for switch in DialSwitch.objects.filter(paused=True):
        messages.warning(request, f"Dialling is paused by {switch.changed_by}: {switch.reason}")


def worklist_page(request: HttpRequest) -> HttpResponse:
    """Show what waits for a person, of one kind or of all."""
    user, now = member(request), timezone.now()
    kinds = worklist.kinds_of(user)
    if not kinds:
        raise PermissionDenied
    warn_of_pause(request)
    chosen = request.GET.get("kind")
    found = worklist.tasks(user, now, [chosen] if chosen in kinds else kinds)
    context = admin.site.each_context(request) | {
        "title": worklist.KINDS[chosen] if chosen in kinds else "Worklist",
        "rows": [(task, task.urgency(now), _URGENCY[task.urgency(now)], _ICONS[task.kind]) for task in found],
        "most": worklist.MOST,
    }
    return TemplateResponse(request, "admin/voice/worklist.html", context)
