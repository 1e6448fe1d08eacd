"""Keep the lists of the desk from telling by their addresses what their rows do not show."""

from typing import Any, ClassVar

from django.conf import settings
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from shipments.phones import normalise

_BY_A_FILTER = (
    *("exact", "id__exact", "in", "isnull", "isempty", "gte", "lt"),
    *("year__exact", "month__exact", "day__exact", "year", "month", "day"),
)
"""How the filters that the lists offer ask for a field, by whatever is offered of it."""


class Discreet:
    """Narrow a list by what it offers and by what our own pages link to, and by nothing else.

    Django admits any lookup of a row's own fields in an address: `?phone__startswith=+2547…` would tell a
    masked number digit by digit, and nobody would have written down who asked.
    """

    linked_by: ClassVar[tuple[str, ...]] = ()
    """The lookups, in full, by which pages of ours lead to this list."""

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Tell whether the address of this list may hold a lookup."""
        admin: Any = self
        offered = {_path(one) for one in admin.get_list_filter(request)} | {admin.date_hierarchy} - {None}
        allowed = {f"{path}__{how}" for path in offered for how in _BY_A_FILTER} | offered
        return lookup in allowed.union(self.linked_by)


class ByNumber:
    """Find rows also by a telephone number in full, written as people write it; a part of one finds none."""

    number_field = "phone"

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Return what the list's own search finds, and the rows of that number."""
        found: QuerySet[Any]
        found, may_repeat = super().get_search_results(request, queryset, search_term)  # type: ignore[misc] # a ModelAdmin's
        also = self.also_found(search_term) if search_term else Q()
        return (found | queryset.filter(also)) if also else found, may_repeat

    def also_found(self, search_term: str) -> Q:
        """Return what is found beside what the list's own search finds."""
        number = normalise(search_term, settings.PHONE_REGION)
        return Q(**{self.number_field: number}) if number else Q()


def _path(offered: Any) -> str:
    """Return the parameter, without its lookup, by which something that a list offers is chosen."""
    if isinstance(offered, tuple):
        offered = offered[0]
    return str(getattr(offered, "parameter_name", None) or offered)
