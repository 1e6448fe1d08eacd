"""Seal short secret codes (delivery and shift PINs), and check what a caller says against a seal.

A few digits are guessed from any plain hash in no time, so that the seal is keyed with the secret of this
installation as well as salted: a stolen table alone opens nothing.
"""

import re
import secrets

from django.conf import settings
from django.utils.crypto import constant_time_compare, salted_hmac

_DIGITS = re.compile(r"[0-9]{4,6}")
_NONE = "0" * 32 + "$" + "0" * 64
"""What a code is compared with when there is none, so that both take equally long."""


def seal(code: str) -> str:
    """Return what may be stored of a code of four to six digits.

    Raises:
        ValueError: it is no such code.
    """
    if not _DIGITS.fullmatch(code):
        raise ValueError("a code is four to six digits")
    salt = secrets.token_hex(16)
    return f"{salt}${_digest(salt, code, settings.SECRET_KEY)}"


def opens(code: str, sealed: str) -> bool:
    """Tell whether a code is the one that was sealed; none opens an empty seal."""
    salt, _, digest = (sealed or _NONE).partition("$")
    keys = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    # Every key is tried, so that the time tells nothing.
    same = [constant_time_compare(_digest(salt, code[:32], key), digest) for key in keys]
    return bool(sealed) and _DIGITS.fullmatch(code) is not None and any(same)


def _digest(salt: str, code: str, key: str) -> str:
    return salted_hmac(f"shipments.codes.{salt}", code, secret=key, algorithm="sha256").hexdigest()
