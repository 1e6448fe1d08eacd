"""Find impossible settings at start-up, and say of each what to do.

voice.E0… are settings that no process can work with; voice.E1… are what production refuses besides.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from django.apps import AppConfig
from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error
from django.utils.module_loading import import_string

from shipments import phones
from voice import clips, dial_rules, quantities
from voice.access import SignatureMode
from voice.levels import ProofWanted
from voice.statuses import CallbackReason
from voice.wire.models import PENDING_AUDIO

_SECRET = re.compile(r"[A-Za-z0-9._~-]{32,}")
_NAME = re.compile(r"[A-Za-z0-9._~-]{1,64}")
_REGION = re.compile(r"[A-Z]{2}")


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


_LEAD_MS = 120


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
    if settings.PLAYOUT_LEAD_MS < _LEAD_MS:
        yield Error(
            "PLAYOUT_LEAD_MS is too little: what the agent says would have gaps.",
            hint=f"Frames go out two at a time, and may be late by more: set it to {_LEAD_MS} at least.",
            id="voice.E033",
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
    if settings.GEMINI_PENDING_AUDIO not in ("", *PENDING_AUDIO):
        yield Error(
            f"GEMINI_PENDING_AUDIO is {settings.GEMINI_PENDING_AUDIO!r}.",
            hint=f"Leave it empty, or set it to one of: {', '.join(PENDING_AUDIO)}.",
            id="voice.E032",
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
    if unknown := set(settings.DIAL_CALLBACKS) - set(CallbackReason.values):
        yield Error(
            f"DIAL_CALLBACKS names no reason of a call-back: {', '.join(sorted(unknown))}.",
            hint=f"The reasons are {', '.join(CallbackReason.values)}.",
            id="voice.E029",
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
    quantities.rates,
    quantities.retries,
    _messages,
    _addresses,
    _stream,
    _numbers,
    quantities.quantities,
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
