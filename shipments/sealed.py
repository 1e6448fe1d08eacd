"""Keep sealed in the database what only this server has to read again: a gate's code, a signing secret.

With the secret of this server: a copy of the database alone opens nothing. What was sealed with an earlier
`SECRET_KEY` is read as long as that is one of `SECRET_KEY_FALLBACKS`.
"""

import logging
from base64 import urlsafe_b64encode
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.db import models

logger = logging.getLogger(__name__)


if TYPE_CHECKING:
    _Text = models.CharField[str, str]
else:  # at run time it takes no parameters
    _Text = models.CharField


class SealedCharField(_Text):
    """Short text that is plain in Python and sealed in its column; it cannot be searched for.

    `max_length` is that of the column, which holds 100 characters and four thirds of the text. What cannot be
    read, as its key is gone, is empty, and logged as an error.
    """

    def from_db_value(self, value: str | None, *_: object) -> str | None:
        """Return what a column holds, opened."""
        return value and unseal(value)

    def get_prep_value(self, value: Any) -> Any:
        """Return what a column is to hold."""
        text = super().get_prep_value(value)
        return text and seal(text)


def seal(text: str) -> str:
    """Return text so that only this server reads it; twice the same text is not twice the same."""
    return _keys(settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS).encrypt(text.encode()).decode("ascii")


def unseal(sealed: str) -> str:
    """Return what was sealed; nothing when it was not by a key that is still known."""
    try:
        opened = _keys(settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS).decrypt(sealed.encode())
    except InvalidToken:
        logger.error("what is sealed cannot be read: its SECRET_KEY is not among SECRET_KEY_FALLBACKS")
        return ""
    return opened.decode()


@lru_cache(maxsize=4)
def _keys(*secrets: str) -> MultiFernet:
    return MultiFernet([Fernet(urlsafe_b64encode(_derived(secret))) for secret in secrets])


def _derived(secret: str) -> bytes:
    return HKDF(SHA256(), 32, salt=None, info=b"shipments.sealed").derive(secret.encode())
