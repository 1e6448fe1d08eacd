"""Read what others send, and take nothing for granted: unknown names are refused, faults are listed."""

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import ValidationError


class Exact(serializers.Serializer[Any]):
    """Reads what is known and refuses the rest: a misspelled name is not passed over in silence."""

    def to_internal_value(self, data: Any) -> Any:
        """Return the values of known names.

        Raises:
            ValidationError: there is a name that means nothing here, or a value that cannot be.
        """
        if isinstance(data, Mapping) and (unknown := set(data) - set(self.fields)):
            raise ValidationError({str(name)[:64]: ["This name is not known here."] for name in unknown})
        return super().to_internal_value(data)


def faults(detail: Any, field: str = "") -> list[dict[str, str]]:
    """Return what is wrong with each field, from the nested lists and dicts of REST framework."""
    if isinstance(detail, dict):
        return [
            fault
            for name, below in detail.items()
            for fault in faults(below, field if name == "non_field_errors" else str(name))
        ]
    if isinstance(detail, list):
        return [fault for below in detail for fault in faults(below, field)]
    return [{"field": field, "message": str(detail)}]
