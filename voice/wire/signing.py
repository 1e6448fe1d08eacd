"""Sign as the telephone platform does: t=<unix time>,v1=<hex>, over the raw body, a dot and the time."""

import hashlib
import hmac
from collections.abc import Sequence


def signature(body: bytes, secret: str, at_s: int) -> str:
    """Return the value of `X-Sautikit-Signature` for a body sent at `at_s`, in Unix seconds."""
    return f"t={at_s},v1={_mac(body, secret, str(at_s))}"


def signature_is_valid(
    header: str, body: bytes, secrets: Sequence[str], *, now_s: float, tolerance_s: float
) -> bool:
    """Tell whether one of the secrets signed this very body, not longer than the tolerance ago."""
    parts = [part.strip().partition("=") for part in header[:1_000].split(",")]
    times = [value for name, _, value in parts if name == "t"]
    macs = [value.encode("utf-8", "replace") for name, _, value in parts if name == "v1"]
    if len(times) != 1 or not (times[0].isascii() and times[0].isdecimal()) or len(times[0]) > 12:
        return False
    # The body comes before the time: Stripe and jambonz do it the other way round.
    expected = [_mac(body, secret, times[0]).encode() for secret in secrets if secret]
    matches = [hmac.compare_digest(mac, ours) for mac in macs[:4] for ours in expected]
    return any(matches) and abs(now_s - int(times[0])) <= tolerance_s


def _mac(body: bytes, secret: str, at: str) -> str:
    return hmac.new(secret.encode(), body + b"." + at.encode(), hashlib.sha256).hexdigest()
