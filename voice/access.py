"""Know friend from stranger: secrets in paths, tokens for one use, signatures of webhooks."""

import hashlib
import hmac
import logging
import secrets
import time
from collections.abc import Sequence
from enum import StrEnum

from django.conf import settings

from voice.wire import signing

logger = logging.getLogger(__name__)


class SignatureMode(StrEnum):
    """What a webhook without a valid signature meets."""

    OFF = "off"
    LOG = "log"
    REQUIRE = "require"


def secret_is_known(given: str, known: Sequence[str]) -> bool:
    """Tell whether `given` is one of the secrets, in a time that says nothing about how near it was."""
    ours = hashlib.sha256(given.encode("utf-8", "replace")).digest()
    # Each is compared, and digests are: neither the length nor which of two matched shows.
    matches = [
        hmac.compare_digest(ours, hashlib.sha256(secret.encode()).digest()) for secret in known if secret
    ]
    return any(matches)


def voice_address() -> str:
    """Return where the platform posts calls: with the newest secret, if there is one."""
    return _address("voice", settings.SAUTIKIT_ROUTING_SECRETS) or f"{settings.PUBLIC_URL}/voice"


def events_address() -> str:
    """Return where the platform posts events; "" without a secret, for they are taken with one only."""
    return _address("events", settings.SAUTIKIT_EVENTS_SECRETS)


def _address(path: str, known: Sequence[str]) -> str:
    newest = next(filter(None, known), "")
    return f"{settings.PUBLIC_URL}/{path}/{newest}" if newest else ""


def new_token() -> str:
    """Return 256 random bits as text for a path."""
    return secrets.token_urlsafe(32)


def digest(token: str) -> str:
    """Return what the database keeps of a token: its SHA-256, in hex."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def signature_is_accepted(header: str, body: bytes) -> bool:
    """Tell whether the settings let a webhook with this signature, which may be empty, through."""
    mode = SignatureMode(settings.SAUTIKIT_SIGNATURE_MODE)
    if mode is SignatureMode.OFF:
        return True
    valid = is_signed(header, body)
    if not valid:
        logger.warning("a webhook is not signed by a secret of ours", extra={"signed": bool(header)})
    return valid or mode is SignatureMode.LOG


def is_signed(header: str, body: bytes) -> bool:
    """Tell whether one of our secrets signed this body just now; without a secret nothing is signed."""
    return signing.signature_is_valid(
        header,
        body,
        settings.SAUTIKIT_SIGNING_SECRETS,
        now_s=time.time(),
        tolerance_s=settings.SIGNATURE_TOLERANCE_S,
    )
