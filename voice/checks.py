"""Find impossible settings at start-up, and say of each what to do.

voice.E0… are settings that no process can work with; voice.E1… are what production refuses besides.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.apps import AppConfig
from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error
from django.utils.module_loading import import_string

from shipments import phones
from voice import clips, dial_rules
from voice.access import SignatureMode
from voice.levels import ProofWanted
from voice.limits import Limits, Tuning, settings_of

_SECRET = re.compile(r"[A-Za-z0-9._~-]{32,}")
_NAME = re.compile(r"[A-Za-z0-9._~-]{1,64}")
_REGION = re.compile(r"[A-Z]{2}")
_POSITIVE = (
    "ADMISSION_CALLS",
    "ADMISSION_CALLS_PER_NUMBER",
    "ADMISSION_CALLS_PER_SECOND",
    "ADMISSION_LAG_GONE_S",
    "ADMISSION_LAG_S",
    "ADMISSION_MODEL_FAILURES",
    "API_PER_MINUTE",
    "OUTBOX_WAIT_S",
    "CALLBACK_WRITE_S",
    "CALLER_PROOF_S",
    "CALL_WRITE_S",
    "CLOCK_SKEW_S",
    "DATABASE_QUERY_S",
    "DRAIN_AGAIN_S",
    "DRAIN_S",
    "GEMINI_OPEN_S",
    "GEMINI_PINGS_QUICK",
    "GEMINI_PING_QUICK_S",
    "GEMINI_PING_S",
    "GEMINI_SILENT_S",
    "HEARTBEAT_S",
    "IDS_A_CALL",
    "IDS_A_DAY",
    "IDS_MISSED_AN_HOUR",
    "JOURNAL_EVERY_S",
    "JOURNAL_RECORDS",
    "ORM_THREADS",
    "READY_WAIT_S",
    "RECONCILE_EVERY_S",
    "RECONCILE_S",
    "RING_LIMIT_S",
    "SAUTIKIT_ANSWER_S",
    "SAUTIKIT_CONNECT_S",
    "SIGNATURE_TOLERANCE_S",
    "SPOOL_AGAIN_S",
    "SPOOL_RECORDS",
    "STREAM_ACCEPT_S",
    "STREAM_TOKEN_S",
    "TOOL_CALLS_ALIKE",
    "TOOL_CALLS_A_CALL",
    "TOOL_CALLS_A_MINUTE",
    "TRIES_A_CALL",
    "TRIES_A_NUMBER",
    "TRIES_A_PARCEL",
    "WEBHOOK_WAIT_S",
)
_NOT_NEGATIVE = (
    "ADMISSION_KES_PER_DAY",
    "ADMISSION_MODEL_WAIT_S",
    "ADMISSION_USD_PER_CALL",
    "ADMISSION_USD_PER_DAY",
    "GREETING_SHIELD_S",
    "PLAYOUT_TAIL_MS",
    "GEMINI_VAD_PREFIX_MS",
    "GEMINI_VAD_SILENCE_MS",
)
_LIMITS = (*settings_of(Limits), *settings_of(Tuning))
RATES_OF_A_DAY = (
    "inbound_kes_minor_per_min",
    "outbound_kes_minor_per_min",
    "stream_kes_minor_per_min",
    "billed_by_s",
    "audio_in_usd_micros_per_million",
    "audio_out_usd_micros_per_million",
    "text_in_usd_micros_per_million",
    "text_out_usd_micros_per_million",
)
"""What each row of RATES says besides the day it begins."""


def _is_loopback(host: str | None) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host or "").is_loopback
    except ValueError:
        return False


def _track() -> Iterator[CheckMessage]:
    if settings.STREAM_TRACK == "both_tracks":
        yield Error(
            "STREAM_TRACK is both_tracks, so the model would hear itself: its own voice comes back as the "
            "caller's, and it interrupts and answers itself.",
            hint="Set STREAM_TRACK=inbound_track: what the caller says, and nothing else.",
            id="voice.E001",
        )
    elif settings.STREAM_TRACK != "inbound_track":
        yield Error(
            f"STREAM_TRACK is {settings.STREAM_TRACK!r}, which does not carry what the caller says.",
            hint="Set STREAM_TRACK=inbound_track.",
            id="voice.E001",
        )


def _signatures() -> Iterator[CheckMessage]:
    modes = [mode.value for mode in SignatureMode]
    if settings.SAUTIKIT_SIGNATURE_MODE not in modes:
        yield Error(
            f"SAUTIKIT_SIGNATURE_MODE is {settings.SAUTIKIT_SIGNATURE_MODE!r}.",
            hint=f"Set it to one of: {', '.join(modes)}.",
            id="voice.E002",
        )
    elif settings.SAUTIKIT_SIGNATURE_MODE != SignatureMode.OFF and not settings.SAUTIKIT_SIGNING_SECRETS:
        yield Error(
            "Signatures are to be checked, and there is no secret to check them with.",
            hint="Set SAUTIKIT_SIGNING_SECRETS, or SAUTIKIT_SIGNATURE_MODE=off.",
            id="voice.E003",
        )


def _caller_proof() -> Iterator[CheckMessage]:
    wanted = [proof.value for proof in ProofWanted]
    if settings.CALLER_PROOF not in wanted:
        yield Error(
            f"CALLER_PROOF is {settings.CALLER_PROOF!r}.",
            hint=f"Set it to one of: {', '.join(wanted)}.",
            id="voice.E018",
        )
    elif settings.CALLER_PROOF == ProofWanted.LOOKUP and not settings.SAUTIKIT_API_KEY:
        yield Error(
            "Callers' numbers are to be looked up, and there is no key to ask the telephone platform with.",
            hint="Set SAUTIKIT_API_KEY, or another CALLER_PROOF.",
            id="voice.E019",
        )
    elif settings.CALLER_PROOF == ProofWanted.SIGNATURE and not settings.SAUTIKIT_SIGNING_SECRETS:
        yield Error(
            "Callers' numbers are to be proved by signatures, and there is no secret to check them with.",
            hint="Set SAUTIKIT_SIGNING_SECRETS, or another CALLER_PROOF.",
            id="voice.E020",
        )
    elif settings.CALLER_PROOF == ProofWanted.NONE and any(settings.SAUTIKIT_ROUTING_SECRETS):
        yield checks.Warning(
            "CALLER_PROOF is none: who has a routing secret can claim to call from any number.",
            hint="Set SAUTIKIT_API_KEY and CALLER_PROOF=lookup, or use signatures.",
            id="voice.W021",
        )


def _secrets() -> Iterator[CheckMessage]:
    for name in ("SAUTIKIT_ROUTING_SECRETS", "SAUTIKIT_EVENTS_SECRETS"):
        if not all(_SECRET.fullmatch(secret) for secret in getattr(settings, name)):
            yield Error(
                f"A secret in {name} is too short, or cannot stand in an address.",
                hint="Take at least 32 of A-Z a-z 0-9 . _ ~ -: python -c "
                "'import secrets; print(secrets.token_urlsafe(32))'",
                id="voice.E004",
            )


def _rates() -> Iterator[CheckMessage]:
    faults = list(_faults_of_rates(settings.RATES))
    if faults:
        yield Error(
            f"RATES cannot price a call: {'; '.join(faults)}.",
            hint="A row has a day of its own in 'from', whole numbers from 0 up, and billed_by_s from 1.",
            id="voice.E005",
        )


def _faults_of_rates(rates: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if not rates:
        yield "it has no row"
    days = [row.get("from") for row in rates]
    if not all(isinstance(day, date) for day in days):
        yield "a row has no day to begin"
    elif len(set(days)) < len(days):
        yield "two rows begin on one day"
    for row in rates:
        for name in RATES_OF_A_DAY:
            if type(row.get(name)) is not int or row[name] < (name == "billed_by_s"):
                yield f"{name} of {row.get('from')} is {row.get(name)!r}"


def _messages() -> Iterator[CheckMessage]:
    try:
        import_string(settings.MESSAGE_SENDER)()
    except (ImportError, TypeError):
        yield Error(
            f"MESSAGE_SENDER is {settings.MESSAGE_SENDER!r}, and no class that can be made.",
            hint="Set it to the dotted path of a class as shipments.messages.MessageSender describes it.",
            id="voice.E025",
        )


def _addresses() -> Iterator[CheckMessage]:
    public = urlsplit(settings.PUBLIC_URL)
    if public.scheme not in ("http", "https") or not public.hostname or public.query:
        yield Error(
            "PUBLIC_URL is not the address of a site.",
            hint="Set it to what the telephone platform reaches us by, such as https://voice.example.com.",
            id="voice.E006",
        )
    if settings.SAUTIKIT_ROUTING_METHOD not in ("PATCH", "PUT"):
        yield Error(
            f"SAUTIKIT_ROUTING_METHOD is {settings.SAUTIKIT_ROUTING_METHOD!r}.",
            hint="PATCH, or PUT where the platform wants that to route a number.",
            id="voice.E024",
        )
    for name, safe, plain in (("SAUTIKIT_BASE_URL", "https", "http"), ("GEMINI_LIVE_URL", "wss", "ws")):
        found = urlsplit(getattr(settings, name))
        if not found.hostname or not (
            found.scheme == safe or (found.scheme == plain and _is_loopback(found.hostname))
        ):
            yield Error(
                f"{name} is no {safe}:// address, and a key would be sent to it.",
                hint=f"Use {safe}://; {plain}:// is taken for this machine itself only.",
                id="voice.E007",
            )


def _stream() -> Iterator[CheckMessage]:
    if not _NAME.fullmatch(settings.STREAM_NAME):
        yield Error(
            "STREAM_NAME is not a name for a stream.",
            hint="Take up to 64 of A-Z a-z 0-9 . _ ~ -",
            id="voice.E008",
        )
    if settings.STREAM_HEADER_METADATA and not _is_flat_json(settings.STREAM_HEADER_METADATA):
        yield Error(
            "STREAM_HEADER_METADATA is not a flat JSON object.",
            hint='Write it as {"name": "value"}, or leave it empty.',
            id="voice.E009",
        )


def _is_flat_json(text: str) -> bool:
    try:
        found = json.loads(text)
    except ValueError:
        return False
    return isinstance(found, dict) and not any(isinstance(value, dict | list) for value in found.values())


def _numbers() -> Iterator[CheckMessage]:
    if not _REGION.fullmatch(settings.PHONE_REGION):
        yield Error(
            f"PHONE_REGION is {settings.PHONE_REGION!r}, which is no country.",
            hint="Two capital letters, such as KE, NG, GH or UG.",
            id="voice.E010",
        )
    elif settings.SAUTIKIT_NUMBER and not phones.normalise(settings.SAUTIKIT_NUMBER, settings.PHONE_REGION):
        yield Error(
            "SAUTIKIT_NUMBER is not a telephone number.",
            hint="Write it with its country: +254 and so on.",
            id="voice.E011",
        )


def _quantities() -> Iterator[CheckMessage]:
    positive = {*_POSITIVE, *_LIMITS} - {*_NOT_NEGATIVE}
    low = [name for name in sorted(positive) if getattr(settings, name) <= 0]
    low += [name for name in _NOT_NEGATIVE if getattr(settings, name) < 0]
    if low:
        yield Error(
            f"Too low to take a call with: {', '.join(low)}.",
            hint="README.md has the defaults.",
            id="voice.E012",
        )
        return
    if settings.RECONCILE_S < 2 * settings.HEARTBEAT_S:
        yield Error(
            "Calls that live would be closed as lost: RECONCILE_S is less than two heartbeats.",
            hint="Four heartbeats are a good measure; HEARTBEAT_S is how far they are apart.",
            id="voice.E023",
        )
    if settings.CALLBACK_WRITE_S >= settings.TOOL_TIMEOUT_S:
        yield Error(
            "A tool would be given up before a call-back that cannot be written is promised.",
            hint="Set CALLBACK_WRITE_S well below TOOL_TIMEOUT_S.",
            id="voice.E024",
        )
    if settings.DRAIN_S < settings.CALL_LIMIT_S:
        yield checks.Warning(
            "DRAIN_S is shorter than CALL_LIMIT_S: a restart may cut calls off.",
            hint="Give a restart as long as the longest call and a minute more.",
            id="voice.W013",
        )


def _model() -> Iterator[CheckMessage]:
    for name, kind in (("GEMINI_VAD_START", "START"), ("GEMINI_VAD_END", "END")):
        allowed = [f"{kind}_SENSITIVITY_LOW", f"{kind}_SENSITIVITY_HIGH"]
        if getattr(settings, name) not in allowed:
            yield Error(
                f"{name} is {getattr(settings, name)!r}; the model would refuse every call.",
                hint=f"Set it to {' or '.join(allowed)}.",
                id="voice.E014",
            )
    if not 0 < settings.GEMINI_COMPRESS_TARGET_TOKENS < settings.GEMINI_COMPRESS_TRIGGER_TOKENS:
        yield Error(
            "The model cannot compress its memory to more than it compresses from.",
            hint="Set GEMINI_COMPRESS_TARGET_TOKENS below GEMINI_COMPRESS_TRIGGER_TOKENS.",
            id="voice.E015",
        )


def _clips() -> Iterator[CheckMessage]:
    try:
        for language in ("en", "sw", "fr"):
            clips.load(language, settings.CLIPS_PATH)
    except clips.ClipError as error:
        yield Error(
            f"A recording cannot be played: {error}.",
            hint="A recording is a WAV file of 16 kHz, one channel, 16 bits.",
            id="voice.E016",
        )
    if settings.CLIPS_PATH and not Path(settings.CLIPS_PATH).is_dir():
        yield Error(
            "CLIPS_PATH is no folder.",
            hint="Leave it empty, or make a folder such as voice/clips.",
            id="voice.E017",
        )


def _dialling() -> Iterator[CheckMessage]:
    try:
        dial_rules.parse_hours(settings.DIAL_HOURS)
        dial_rules.parse_hours(f"{settings.DIAL_SUNDAY_FROM}-24:00")
    except ValueError as error:
        yield Error(
            f"DIAL_HOURS or DIAL_SUNDAY_FROM cannot be read: {error}.",
            hint="Write times of a day, such as DIAL_HOURS=08:00-20:00 and DIAL_SUNDAY_FROM=10:00.",
            id="voice.E021",
        )
    if not settings.DIAL_PER_SECOND > 0:
        yield Error(
            "DIAL_PER_SECOND lets no call be placed at all.",
            hint="Set it above zero; to stop dialling, pause it.",
            id="voice.E022",
        )
    if settings.VOICEMAIL_MESSAGE_S + settings.CALL_GOODBYE_LONGEST_S >= 60:
        yield Error(
            "A voicemail could be spoken to for a minute and more.",
            hint="Keep VOICEMAIL_MESSAGE_S and CALL_GOODBYE_LONGEST_S together below 60 seconds.",
            id="voice.E026",
        )


_CHECKS: tuple[Callable[[], Iterator[CheckMessage]], ...] = (
    _track,
    _signatures,
    _caller_proof,
    _secrets,
    _rates,
    _messages,
    _addresses,
    _stream,
    _numbers,
    _quantities,
    _model,
    _clips,
    _dialling,
)


@checks.register
def settings_are_possible(
    app_configs: Sequence[AppConfig] | None = None, **kwargs: object
) -> list[CheckMessage]:
    """Return what in the settings cannot work."""
    return [found for check in _CHECKS for found in check()]


def serve_refusals() -> list[CheckMessage]:
    """Return why the production server does not start with these settings; nothing when it may."""
    refusals: list[CheckMessage] = []
    if settings.DEBUG:
        refusals.append(
            Error("DEBUG is on, and would show strangers our settings.", hint="Unset DEBUG.", id="voice.E101")
        )
    if settings.SECRET_KEY == settings.BARE_SECRET_KEY:
        refusals.append(
            Error(
                "SECRET_KEY is the one of a bare checkout, which everybody knows.",
                hint="Set SECRET_KEY: python -c 'import secrets; print(secrets.token_urlsafe(50))'",
                id="voice.E102",
            )
        )
    if not any(settings.SAUTIKIT_ROUTING_SECRETS):
        refusals.append(
            Error(
                "There is no routing secret: nobody could tell the telephone platform from a stranger.",
                hint="Set SAUTIKIT_ROUTING_SECRETS, and give the platform /voice/<secret> as its address.",
                id="voice.E103",
            )
        )
    return refusals
