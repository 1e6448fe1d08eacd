"""Answer the telephone platform's webhooks, and who asks whether this process is well.

A webhook's secret is in its path: there is no session, no cookie and no cross-site check. Database work
goes to its own threads with a limit on the wait, so that a slow database makes an apology, not a silence.
"""

import hashlib
import json
import logging
import time
from asyncio import timeout
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import ParamSpec, TypeVar

from asgiref.sync import async_to_sync
from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.db import Error as DatabaseDownError
from django.db import connection
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.views.decorators.http import require_safe
from django.views.defaults import page_not_found
from rest_framework.exceptions import APIException, ParseError, PermissionDenied
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.permissions import AllowAny
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from voice import access, budget, calls, refusals, reports
from voice.admission import GATE, Refusal
from voice.audio import TELEPHONE_HZ
from voice.orm import run_db
from voice.statuses import Direction
from voice.trust import direction
from voice.wire import actions, sautikit

logger = logging.getLogger(__name__)
P = ParamSpec("P")
T = TypeVar("T")
_SIGNATURE = "X-Sautikit-Signature"

APOLOGIES = {
    "en": "We are sorry, we cannot take your call right now. Please call again in a few minutes. Goodbye.",
    "fr": "Nous sommes désolés, nous ne pouvons pas prendre votre appel maintenant. "
    "Merci de rappeler dans quelques minutes. Au revoir.",
    "sw": "Samahani, hatuwezi kupokea simu yako kwa sasa. "
    "Tafadhali piga tena baada ya dakika chache. Kwaheri.",
}
PROMISES = {
    "en": "We are sorry, we cannot take your call right now. We will call you back. Goodbye.",
    "fr": "Nous sommes désolés, nous ne pouvons pas prendre votre appel maintenant. "
    "Nous vous rappellerons. Au revoir.",
    "sw": "Samahani, hatuwezi kupokea simu yako kwa sasa. Tutakupigia simu. Kwaheri.",
}
WE_CALLED = {
    "en": "We are sorry, we called you and cannot speak with you right now. Goodbye.",
    "fr": "Nous sommes désolés, nous vous avons appelé et ne pouvons pas vous parler maintenant. Au revoir.",
    "sw": "Samahani, tumekupigia simu lakini hatuwezi kuzungumza nawe kwa sasa. Kwaheri.",
}


class BodyTooLarge(APIException):
    """The request brings more than a webhook ever has."""

    status_code = 413
    default_detail = "Too large."


class TryAgain(APIException):
    """The database did not answer: who asked is to deliver this once more."""

    status_code = 503
    default_detail = "Try again."


class _AnyAccepted(BaseContentNegotiation):
    """Answers in the one form there is, whatever the request says it accepts."""

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        first = next(iter(renderers))
        return first, str(first.media_type)


class WebhookView(APIView):
    """What all webhooks share: POST only, a bounded body, and a 404 that looks like any other."""

    http_method_names = ["post"]
    schema = None  # the carrier's, and no part of what the courier's systems are told of
    permission_classes = [AllowAny]
    content_negotiation_class = _AnyAccepted

    def handle_exception(self, exc: Exception) -> Response:
        """Answer what went wrong; a wrong secret as if nothing were here."""
        if isinstance(exc, Http404):
            self.headers: dict[str, str] = {}  # they would tell which methods are served here
            return page_not_found(self.request._request, exc)  # type: ignore[return-value] # noqa: SLF001
        return super().handle_exception(exc)


class VoiceView(WebhookView):
    """`POST /voice/<secret>`: a call rings, or something happened to it.

    Whoever has a valid secret and sends fields gets XML with status 200: a caller is waiting.
    """

    def post(self, request: Request, secret: str = "") -> HttpResponse:
        """Answer a stream, an apology, or nothing more to do."""
        _require(secret, settings.SAUTIKIT_ROUTING_SECRETS, bare=settings.DEBUG)
        body = _body(request)
        _require_signature(request, body)
        webhook = sautikit.parse_webhook(_fields(request, body))
        try:
            until_s = _in(settings.WEBHOOK_WAIT_S)
            written = _answer(webhook, until_s, signed=_is_signed(request, body))
        except (DatabaseDownError, TimeoutError):
            logger.error("the database did not answer a webhook in time", extra={"edge": webhook.edge.value})
            written = _answer_without_database(webhook)
        except Exception:  # the top of a webhook: whatever it is, the caller hears a sentence
            logger.exception("a webhook failed", extra={"edge": webhook.edge.value})
            written = _answer_without_database(webhook)
        return HttpResponse(written, content_type="application/xml")


class EventsView(WebhookView):
    """`POST /events/<secret>`: the platform's account of a call, kept once; it ends none that was answered.

    Of a call that we placed it is believed: there may be no other word of whom it did not reach.
    """

    def post(self, request: Request, secret: str) -> HttpResponse:
        """Keep an event."""
        _require(secret, settings.SAUTIKIT_EVENTS_SECRETS)
        body = _body(request)
        _require_signature(request, body)
        event = sautikit.parse_event(_fields(request, body), request.headers)
        # Without an id of theirs a repeat is known by its text, which a retry does not change.
        event_id = event.event_id or f"sha256:{hashlib.sha256(body).hexdigest()}"
        new = _kept(reports.note_event, event_id, event.kind, event.payload, now=datetime.now(UTC))
        return JsonResponse({"status": "stored" if new else "duplicate"})


class StreamStatusView(WebhookView):
    """`POST /stream-status/<token>`: the platform's account of a stream; the socket is the truth."""

    def post(self, request: Request, token: str) -> HttpResponse:
        """Keep what became of a stream; unknown tokens are not told from unknown addresses."""
        fields = _fields(request, _body(request))
        event = sautikit.parse_stream_event(fields)
        payload = sautikit.storable(fields)
        if not _kept(reports.note_stream_status, token, event, payload, now=datetime.now(UTC)):
            raise Http404
        return JsonResponse({"status": "stored"})


@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """Say that this process runs; asks nobody else."""
    return JsonResponse({"status": "alive"})


@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """Say whether new calls may be sent here: not while draining, not without the database."""
    if GATE.draining:
        return JsonResponse({"status": "draining"}, status=503)
    try:
        _by(_in(settings.READY_WAIT_S), _ask_database)
    except (DatabaseDownError, TimeoutError):
        return JsonResponse({"status": "no database"}, status=503)
    return JsonResponse({"status": "ready"})


def _ask_database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _answer(webhook: sautikit.Webhook, until_s: float, *, signed: bool) -> str:
    now = datetime.now(UTC)
    if webhook.may_begin:
        # Opened before the gate is asked: a call that is up already must get its empty answer, and
        # would be cut off by an apology when the process is full of such calls.
        opening = _by(
            until_s,
            calls.open_call,
            webhook,
            own_number=settings.SAUTIKIT_NUMBER,
            region=settings.PHONE_REGION,
            now=now,
            signed=signed,
        )
        if opening is not None:
            return _stream(opening, until_s)
    if over := _by(until_s, reports.note_edge, webhook, now=now):
        GATE.forget(over)
    return actions.empty_response()


def _answer_without_database(webhook: sautikit.Webhook) -> str:
    # An apology hangs up, so only who waits for an answer gets one; a call that is up is left alone.
    if not webhook.may_begin:
        return actions.empty_response()
    return _apology(settings.DEFAULT_LANGUAGE, we_called=direction(webhook) is Direction.OUTBOUND)


def _stream(opening: calls.Opening, until_s: float) -> str:
    call = opening.facts.public_id
    if refusal := _refusal(opening, until_s):
        logger.warning("a caller heard an apology", extra={"call": call, "why": refusal.value})
        promised = _note_refusal(opening.facts, until_s)
        we_called = opening.facts.direction == Direction.OUTBOUND
        return _apology(opening.facts.language, promised=promised, we_called=we_called)
    logger.info("a call may connect", extra={"call": call})
    public = settings.PUBLIC_URL
    return actions.stream_response(
        actions.Stream(
            url=f"ws{public.removeprefix('http')}/audio/{opening.token}",  # and so https becomes wss
            status_callback=f"{public}/stream-status/{opening.status_token}",
            rate_hz=TELEPHONE_HZ,
            track=settings.STREAM_TRACK,
            name=settings.STREAM_NAME,
            open_metadata=call,
            header_metadata=settings.STREAM_HEADER_METADATA,
        )
    )


def _refusal(opening: calls.Opening, until_s: float) -> Refusal | None:
    facts = opening.facts
    spent = _by(until_s, budget.is_spent, datetime.now(UTC), but=facts.call_id)
    return GATE.invite(facts.public_id, facts.customer_number, opening.token, over_budget=spent)


def _note_refusal(facts: calls.CallFacts, until_s: float) -> bool:
    """Write that a call is not taken; tell whether its caller will be rung back."""
    try:
        return _by(until_s, refusals.refuse, facts, now=datetime.now(UTC))
    except (DatabaseDownError, TimeoutError):
        logger.error("a call-back was not written", extra={"call": facts.public_id})
        return False


def _apology(language: str, *, promised: bool = False, we_called: bool = False) -> str:
    """Apologise in the caller's language; who did not ring us is not told to, nor that we shall."""
    texts = WE_CALLED if we_called else PROMISES if promised else APOLOGIES
    return actions.apology_response(
        texts.get(language) or texts.get(settings.DEFAULT_LANGUAGE) or texts["en"]
    )


# Who asks, and what


def _require(secret: str, known: list[str], *, bare: bool = False) -> None:
    """Raise Http404 unless the secret is known; with `bare`, none is needed while none is set."""
    if bare and not secret and not any(known):
        return
    if not access.secret_is_known(secret, known):
        raise Http404


def _require_signature(request: Request, body: bytes) -> None:
    if not access.signature_is_accepted(request.headers.get(_SIGNATURE, ""), body):
        raise PermissionDenied


def _is_signed(request: Request, body: bytes) -> bool:
    return access.is_signed(request.headers.get(_SIGNATURE, ""), body)


def _body(request: Request) -> bytes:
    """Return the raw body: what was signed, and no more of it than allowed."""
    limit: int = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    try:
        body: bytes = request.read(limit + 1)  # `request.body` would take all of a body of unsaid length
    except OSError as error:
        raise ParseError("The body did not arrive.") from error
    if len(body) > limit:
        raise BodyTooLarge
    return body


def _fields(request: Request, body: bytes) -> dict[str, object]:
    """Return the fields of a form or of a JSON object, and the label that the platform puts on the URL."""
    try:
        match request.content_type.partition(";")[0].strip().lower():
            case "application/json":
                fields = json.loads(body)
            case "application/x-www-form-urlencoded" | "":
                fields = _form(QueryDict(body, encoding=request.encoding or "utf-8"))
            case _:
                raise ParseError("Send a form or JSON.")
        label = request.query_params.get("clientRequestId")
    except (ValueError, LookupError, RecursionError, SuspiciousOperation) as error:
        raise ParseError("The fields cannot be read.") from error
    if not isinstance(fields, dict):
        raise ParseError("Send fields with names.")
    return {"clientRequestId": label, **fields} if label else fields


def _form(sent: QueryDict) -> dict[str, object]:
    repeated = [name for name, values in sent.lists() if len(values) > 1]
    if repeated:  # two values are two stories: the first is believed, and somebody should know
        logger.warning("a webhook repeats fields", extra={"repeated": len(repeated)})
    return {name: values[0] for name, values in sent.lists()}


# The database


def _kept(write: Callable[P, bool], /, *args: P.args, **kwargs: P.kwargs) -> bool:
    try:
        return _by(_in(settings.WEBHOOK_WAIT_S), write, *args, **kwargs)
    except (DatabaseDownError, TimeoutError) as error:
        logger.error("an event was not kept: the database did not answer")
        raise TryAgain from error


def _in(seconds: float) -> float:
    """Return the moment until when a caller waits: one for all that an answer takes."""
    return time.monotonic() + seconds


def _by(until_s: float, work: Callable[..., T], *args: object, **kwargs: object) -> T:
    """Run database work on its own threads; raise TimeoutError when it is not done by that moment."""

    async def bounded() -> T:
        async with timeout(until_s - time.monotonic()):
            return await run_db(work, *args, **kwargs)

    return async_to_sync(bounded)()
