"""Ask for what a verb needs in a dialog, show its refusals there, and refuse a form that has gone stale."""

from collections.abc import Callable
from datetime import date, datetime
from itertools import groupby
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from shipments.admin.columns import NONE, member, wanted, window
from shipments.depots import DeliverySlot
from shipments.effects import PLACE
from shipments.errors import ShipmentError, StaleFormError
from shipments.models import DeliveryChange, Shipment
from shipments.orders import Order
from shipments.phones import mask_numbers, masked
from shipments.rules import POLICY, change_route, hold_route
from shipments.telling import parcel_of
from shipments.windows import day_of, slots_ahead

Dialog = dict[str, Any]


class RefusableForm(BaseDialogForm):  # type: ignore[misc] # unfold ships no types
    """A dialog that shows above its fields why nothing was done."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.refusal = ""

    def refuse(self, error: ShipmentError) -> None:
        """Keep what is to be shown when the form is shown again."""
        self.refusal = str(error)

    def render_before_template(self) -> str:
        """Return what stands above the fields."""
        return render_to_string("admin/shipments/_dialog_head.html", {"form": self})


class ReasonForm(RefusableForm):
    """Asks why; the reason is kept."""

    reason = forms.CharField(max_length=300, widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}))


REVEAL: Dialog = {
    "title": "Show the telephone number",
    "description": "It is written down that you saw it, and why.",
    "form_class": ReasonForm,
    "form_submit_text": "Show",
}


class ParcelForm(RefusableForm):
    """A dialog about one parcel: it carries the version that was shown, and what was shown of it."""

    data: Any  # unfold ships no types
    version = forms.IntegerField(widget=forms.HiddenInput)
    shown = forms.JSONField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.shipment = self.find()
        self.face = self.look()
        self.fields["version"].initial = self.shipment.version
        self.fields["shown"].initial = self.face
        self.differences: list[tuple[str, str, str]] = []
        if not self.is_bound:
            try:
                self.check_rules()
            except ShipmentError as refusal:
                self.refuse(refusal)

    def find(self) -> Shipment:
        """Return the parcel that the dialog is about, if this user may see it."""
        own = Shipment.objects.seen_by(member(self.request)).for_telling()
        return get_object_or_404(own, pk=self.object_id)

    def look(self) -> dict[str, str]:
        """Return what the dialog shows of the parcel."""
        return face(self.shipment)

    def check_rules(self) -> None:
        """Raise what the rules have against it as soon as the dialog opens."""

    def order(self, now: datetime) -> Order:
        """Return who orders something for which parcel, as the verbs want it."""
        version = self.cleaned_data["version"]
        return Order(self.shipment.pk, version, by=member(self.request), now=now)

    def refuse(self, error: ShipmentError) -> None:
        """Show also what is different, and let the form be sent again as one that has seen it."""
        super().refuse(error)
        if isinstance(error, StaleFormError):
            seen = self.cleaned_data["shown"] if isinstance(self.cleaned_data["shown"], dict) else {}
            self.differences = [
                (name, str(seen.get(name, "")), now)
                for name, now in self.face.items()
                if seen.get(name) != now
            ]
            news = {"version": str(self.shipment.version), "shown": _json(self.face)}
            self.data = {**self.data.dict(), **news}


class DecisionForm(ParcelForm):
    """Asks why a change is approved or turned down, and shows what it is."""

    reason = forms.CharField(max_length=300, widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}))

    def find(self) -> Shipment:
        """Return the parcel that a change is about, if this user may see it."""
        own = DeliveryChange.objects.seen_by(member(self.request)).select_related("shipment")
        self.change = get_object_or_404(own, pk=self.object_id)
        return Shipment.objects.for_telling().get(pk=self.change.shipment_id)

    def look(self) -> dict[str, str]:
        """Return what is asked for, by whom, and the parcel."""
        asked = f"{self.change.get_kind_display()}: {wanted(self.change)}"
        by = self.change.requested_by or NONE
        return {"Parcel": str(self.shipment), "Asked for": asked, "By": by, **face(self.shipment)}


class RescheduleForm(ParcelForm):
    """Asks for another day and window; the full ones are named too, since callers ask for them."""

    slot = forms.TypedChoiceField(label="Day and window", coerce=int, widget=UnfoldAdminSelectWidget)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        slots = slots_ahead(self.shipment, timezone.now())
        self.fields["slot"].choices = [
            ("", "Choose"),
            *(
                (f"{day:%A %d %B}", [(slot.pk, _label(slot, self.shipment)) for slot in of_day])
                for day, of_day in groupby(slots, key=self._day)
            ),
        ]

    def check_rules(self) -> None:
        """Raise why this parcel may not be moved."""
        change_route(parcel_of(self.shipment), POLICY)

    def _day(self, slot: DeliverySlot) -> date:
        return day_of(slot, self.shipment)


class AddressForm(ParcelForm):
    """Asks where a parcel is to go: what a rider finds it by."""

    landmark = forms.CharField(max_length=200, widget=UnfoldAdminTextInputWidget)
    building = forms.CharField(max_length=120, required=False, widget=UnfoldAdminTextInputWidget)
    line1 = forms.CharField(label="Street", max_length=200, required=False, widget=UnfoldAdminTextInputWidget)
    neighbourhood = forms.CharField(max_length=120, required=False, widget=UnfoldAdminTextInputWidget)
    city = forms.CharField(max_length=80, widget=UnfoldAdminTextInputWidget)
    directions = forms.CharField(
        max_length=1000, required=False, widget=UnfoldAdminTextareaWidget(attrs={"rows": 2})
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["city"].initial = self.shipment.address.city

    def check_rules(self) -> None:
        """Raise why this parcel may not be sent elsewhere."""
        change_route(parcel_of(self.shipment), POLICY)

    def place(self) -> dict[str, str]:
        """Return what was filled in, as an address has it."""
        return {name: self.cleaned_data[name] for name in PLACE}


class HoldForm(ParcelForm):
    """Asks whether a parcel is to wait at its depot."""

    def check_rules(self) -> None:
        """Raise why this parcel may not be kept."""
        hold_route(parcel_of(self.shipment))


def face(shipment: Shipment) -> dict[str, str]:
    """Return what a dialog shows of a parcel, and compares with what it was when a form comes back."""
    return {
        "Status": shipment.get_status_display(),
        "Planned": window(shipment.promised_start, shipment.promised_end, shipment),
        "Address": f"{shipment.address}",
        "Landmark": mask_numbers(shipment.address.landmark) or NONE,
        "Depot": str(shipment.depot or NONE),
        "Number": masked(shipment.phone),
        "Attempts": str(shipment.attempts),
    }


def carried_out(
    request: HttpRequest, form: RefusableForm, dialog: Dialog, do: Callable[[datetime], str], address: str
) -> HttpResponse:
    """Do what a valid form asks for, or show the form again with the refusal.

    Afterwards the browser is where the dialog was opened, or else at `address`.
    """
    try:
        said = do(timezone.now())
    except ShipmentError as refusal:
        form.refuse(refusal)
        context = {"dialog": dialog, "form": form, "form_submit_text": dialog["form_submit_text"]}
        return render(request, "unfold/helpers/dialog.html", context)
    messages.success(request, said)
    return gone_to(opened_at(request) or address)


def opened_at(request: HttpRequest) -> str:
    """Return the page of ours on which a dialog was opened, or "" when it does not say."""
    address = request.headers.get("HX-Current-URL", "")
    return address if url_has_allowed_host_and_scheme(address, {request.get_host()}) else ""


def gone_to(address: str) -> HttpResponse:
    """Return the answer by which a dialog leads on: it is sent by htmx, which follows this header alone."""
    answer = HttpResponse(status=204)
    answer["HX-Redirect"] = address
    return answer


def _label(slot: DeliverySlot, shipment: Shipment) -> str:
    start, end = slot.starts_at.astimezone(shipment.zone), slot.ends_at.astimezone(shipment.zone)
    free = slot.capacity - slot.booked
    return f"{start:%a %d %b %H:%M}–{end:%H:%M} · {f'{free} of {slot.capacity} free' if free else 'full'}"


def _json(value: dict[str, str]) -> str:
    return str(forms.JSONField().prepare_value(value))
