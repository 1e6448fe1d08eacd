"""Answer all of the API alike: how much may be sent, how lists are paged, what a refusal looks like."""

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict
from typing import IO, Any, ClassVar, TypeVar

from django.db import Error as DatabaseDownError
from django.db.models import Model, QuerySet
from django.http import Http404
from rest_framework import serializers, status
from rest_framework.exceptions import APIException, NotFound, ParseError, ValidationError
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from shipments.api.access import ClientThrottle, HasScope, TokenAuthentication
from shipments.errors import ParcelUnknownError, RowsRefusedError, ShipmentError
from shipments.reading import Exact, faults

logger = logging.getLogger(__name__)
_Row = TypeVar("_Row", bound=Model)
_MOST_ROWS = 2**63 - 1
_FAULTS = 100
BODY_BYTES = 65_536
BULK_BYTES = 4_194_304
"""What a request may bring; a thousand rows of four kilobytes where rows are many."""


class TooLargeError(APIException):
    """The body is longer than any that makes sense here."""

    status_code = 413
    default_code = "too_large"


class RefusedError(APIException):
    """The parcel's rules do not allow what was asked for."""

    status_code = status.HTTP_409_CONFLICT

    def __init__(self, refusal: ShipmentError) -> None:
        super().__init__(str(refusal), refusal.code)
        self.refusal = refusal


class RowsError(APIException):
    """Some of many rows cannot be taken."""

    status_code = status.HTTP_400_BAD_REQUEST

    def __init__(self, refusal: RowsRefusedError) -> None:
        super().__init__(str(refusal), refusal.code)
        self.refusal = refusal


class JsonParser(BaseParser):
    """Reads a JSON body, up to the length that the view allows."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """Return what the body says.

        Raises:
            TooLargeError: it is longer than allowed.
            ParseError: it is no JSON in UTF-8, or nested deeper than anything we know.
        """
        view = (parser_context or {}).get("view")
        limit = getattr(view, "body_bytes", BODY_BYTES)
        try:
            body = stream.read(limit + 1)
        except OSError as error:
            raise ParseError("The body did not arrive.") from error
        if len(body) > limit:
            raise TooLargeError(f"Send at most {limit} bytes.")
        try:
            return json.loads(body.decode(), parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            raise ParseError("The body cannot be read as JSON.") from error


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


class ClientView(APIView):
    """What every address of the API shares: who may come in, and what is answered when something is wrong."""

    authentication_classes = [TokenAuthentication]
    permission_classes = [HasScope]
    throttle_classes = [ClientThrottle]
    parser_classes = [JsonParser]
    http_method_names = ["get", "head", "post", "patch"]
    scopes: ClassVar[Mapping[str, str]] = {}
    body_bytes: ClassVar[int] = BODY_BYTES

    def handle_exception(self, exc: Exception) -> Response:
        """Answer what went wrong, always in the same shape: a code, a sentence, and what it is about."""
        match exc:
            case Http404():
                exc = NotFound()
            case ParcelUnknownError():
                exc = NotFound("There is no such parcel.")
            case RowsRefusedError():
                exc = RowsError(exc)
            case ShipmentError():
                exc = RefusedError(exc)
            case DatabaseDownError():
                logger.error("the database did not answer a client")
                exc = APIException("Try again later.", "try_again")
                exc.status_code = status.HTTP_503_SERVICE_UNAVAILABLE
            case _:
                pass
        answer = super().handle_exception(exc)
        if isinstance(exc, APIException):
            answer.data = problem(exc)
        return answer


def problem(error: APIException) -> dict[str, object]:
    """Return the body of a refusal."""
    if isinstance(error, ValidationError):
        found = list(faults(error.detail))
        return {"code": "invalid", "detail": "Some of what was sent cannot be taken.", "errors": found}
    said: dict[str, object] = {"code": error.get_codes(), "detail": str(error.detail)}
    if isinstance(error, RowsError):
        return said | {"errors": [asdict(fault) for fault in error.refusal.faults[:_FAULTS]]}
    if isinstance(error, RefusedError):
        return said | {"retryable": error.refusal.retryable, "offers": list(error.refusal.offers)}
    return said


class Filters(Exact):
    """What every list can be asked for: how many rows at once, and where to go on."""

    limit = serializers.IntegerField(min_value=1, max_value=500, default=100)
    cursor = serializers.IntegerField(
        min_value=1, max_value=_MOST_ROWS, required=False, help_text="`next` of the page before"
    )


def read(shape: type[serializers.Serializer[Any]], given: Any, **context: object) -> dict[str, Any]:
    """Return what was sent, checked.

    Raises:
        ValidationError: with a message for each field that cannot be taken.
    """
    reader = shape(data=given, context=context)
    reader.is_valid(raise_exception=True)
    values: dict[str, Any] = reader.validated_data
    return values


def filters(shape: type[Filters], request: Request) -> dict[str, Any]:
    """Return what a list is asked for.

    Raises:
        ValidationError: with a message for each parameter that cannot be taken.
    """
    return read(shape, request.query_params.dict())


def page(rows: QuerySet[_Row], asked: Mapping[str, Any]) -> tuple[list[_Row], str | None]:
    """Return the rows of one page, the newest first, and the cursor of the next."""
    if "cursor" in asked:
        rows = rows.filter(pk__lt=asked["cursor"])
    found = list(rows.order_by("-pk")[: asked["limit"] + 1])
    shown = found[: asked["limit"]]
    return shown, str(shown[-1].pk) if len(found) > len(shown) else None
