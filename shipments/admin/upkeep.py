"""Write down who kept up what: staff, depots and their windows, holidays, riders and their rounds."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from django.contrib.auth.models import User
from django.db.models import Manager, Model, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from shipments.admin.columns import member
from shipments.audit import AuditEntry
from shipments.phones import mask_numbers

_Fields = dict[str, Any]


class Audited:
    """Leave an audit entry for each row that is added, changed or deleted, in the same transaction."""

    secret_fields: ClassVar[tuple[str, ...]] = ()
    """Of which is kept that they were set, and not to what."""

    def save_related(self, request: HttpRequest, form: Any, formsets: Iterable[Any], change: bool) -> None:
        """Write the rows below this one, and what changed of all of them."""
        super().save_related(request, form, formsets, change)  # type: ignore[misc] # a ModelAdmin's
        before, after = self._changed(form)
        for formset in formsets:
            for below in formset.forms:
                if below in formset.deleted_forms or not below.has_changed():
                    continue
                was, became = self._changed(below)
                before |= {f"{below.instance}": was} if below not in formset.extra_forms else {}
                after |= {f"{below.instance}": became}
            before |= {f"{gone}": "there" for gone in formset.deleted_objects}
            after |= {f"{gone}": "deleted" for gone in formset.deleted_objects}
        if after:
            note(form.instance, "change" if change else "add", member(request), before, after)

    def delete_model(self, request: HttpRequest, obj: Model) -> None:
        """Delete a row, and write that down first: afterwards it has no key."""
        note(obj, "delete", member(request), {}, {})
        super().delete_model(request, obj)  # type: ignore[misc] # a ModelAdmin's

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Delete the chosen rows, and write each down."""
        for obj in queryset:
            note(obj, "delete", member(request), {}, {})
        super().delete_queryset(request, queryset)  # type: ignore[misc] # a ModelAdmin's

    def _changed(self, form: Any) -> tuple[_Fields, _Fields]:
        names = [name for name in form.changed_data if name in form.cleaned_data]
        shown = [name for name in names if name not in self.secret_fields]
        before = {name: _written(form.get_initial_for_field(form.fields[name], name)) for name in shown}
        after = {name: _written(form.cleaned_data[name]) for name in shown}
        return before, after | {name: "set anew" for name in names if name not in shown}


def note(obj: Model, what: str, by: User, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    """Write down that somebody kept a row up, under its key and with its name."""
    kind = str(obj._meta.model_name)  # noqa: SLF001 - Django's own name for it
    AuditEntry.objects.create(
        at=timezone.now(),
        actor=by.get_username()[:120],
        verb=f"{what}_{kind}",
        object_kind=kind,
        object_id=str(obj.pk),
        before=dict(before),
        after={"of": str(obj), **after},
    )


def _written(value: Any) -> Any:
    """Return what the audit keeps of a field: text and lists of names, numbers by their last digits."""
    match value:
        case None | bool() | int():
            return value
        case Manager() | QuerySet() | list() | tuple():
            return sorted(map(str, value.all() if isinstance(value, Manager) else value))
        case _:
            return mask_numbers(str(value))
