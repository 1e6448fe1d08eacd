"""Describe the API to programs: what each address takes and answers, and how a client comes in."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers

_View = TypeVar("_View", bound=Callable[..., Any])
_Shape = type[serializers.BaseSerializer[Any]]
TRACKING_ID = r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}"
"""A tracking id as it may stand in an address."""
_IN_PATH = {
    "tracking_id": OpenApiParameter(
        "tracking_id", {"type": "string", "pattern": f"^{TRACKING_ID}$"}, OpenApiParameter.PATH
    ),
    "public_id": OpenApiParameter(
        "public_id", {"type": "string", "pattern": "^[0-9a-z]{16}$"}, OpenApiParameter.PATH
    ),
}


class FaultOut(serializers.Serializer[Any]):
    """What is wrong with what was sent; the row where rows are many."""

    field = serializers.CharField()
    message = serializers.CharField()
    row = serializers.IntegerField(required=False)


class ProblemOut(serializers.Serializer[Any]):
    """Why a request was refused."""

    code = serializers.CharField()
    detail = serializers.CharField(help_text="a sentence")
    errors = FaultOut(many=True, required=False)  # type: ignore[assignment] # a field becomes no attribute
    retryable = serializers.BooleanField(required=False, help_text="whether asking anew may help")
    offers = serializers.ListField(
        child=serializers.CharField(), required=False, help_text="what is possible instead"
    )


class _Token(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call] # registers itself
    """Says how a client shows who it is."""

    target_class = "shipments.api.access.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        """Return how a token is sent."""
        return {"type": "http", "scheme": "bearer"}


def described(
    name: str,
    answers: Mapping[int, _Shape],
    *,
    takes: _Shape | None = None,
    filters: _Shape | None = None,
    path: str = "",
    refuses: tuple[int, ...] = (),
) -> Callable[[_View], _View]:
    """Describe one method: its name, its answers by status, its body, its query, what its path names.

    `refuses` are the statuses by which it may refuse, beside those of every method.
    """
    every = (400, 401, 403, 429, 503, *((413, 415) if takes else ()), *((404,) if path else ()))
    decorate: Callable[[_View], _View] = extend_schema(
        operation_id=name,
        request=takes,
        responses=dict(answers) | dict.fromkeys((*every, *refuses), ProblemOut),
        parameters=[*([filters] if filters else ()), *([_IN_PATH[path]] if path else ())],
    )
    return decorate
