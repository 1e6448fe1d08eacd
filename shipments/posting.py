"""Tell the courier's systems what the outbox holds: signed, to no private network, until it is taken."""

import hashlib
import hmac
import logging
import socket
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import httpx
from django.conf import settings

from shipments import outbox
from shipments.notices import Notice

logger = logging.getLogger(__name__)

SIGNATURE = "X-Courier-Signature"
_WAITS_S = (10, 60, 300, 900, 1_800, 3_600, 7_200, 14_400, 21_600, 28_800)
"""How long after which try the next one comes: eleven in a day, eight of them within four hours."""
_LEASE = timedelta(minutes=2)
_FOR_S = 20.0
_AT_ONCE = 100
_TRANSLATED = ip_network("64:ff9b::/96")
"""IPv4 in IPv6: which network it leads to cannot be seen from here."""

Address = IPv4Address | IPv6Address
Resolve = Callable[[str, int], Sequence[str]]


class ForbiddenAddressError(Exception):
    """A host is in a network of ours, or nowhere."""


def addresses(host: str, port: int) -> list[str]:
    """Return where a host is."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


def is_public(text: str) -> bool:
    """Tell whether an address is one of the internet's, and not of a network that only we can reach."""
    address: Address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv6Address):
        if address in _TRANSLATED or address.sixtofour is not None or address.teredo is not None:
            return False
        address = address.ipv4_mapped or address
    return address.is_global and not address.is_multicast


def send_due(
    now: datetime,
    *,
    transport: httpx.BaseTransport | None = None,
    resolve: Resolve = addresses,
    clock: Callable[[], float] = time.monotonic,
) -> int:
    """Try what is due, for some seconds at most; return how many were tried.

    An endpoint that fails is not tried with its other notices in the same go: who is slow holds nobody up.
    """
    began, tried = clock(), 0
    failing: set[int] = set()
    with httpx.Client(
        timeout=httpx.Timeout(settings.OUTBOX_WAIT_S, connect=3),
        follow_redirects=False,
        trust_env=False,
        transport=transport,
    ) as http:
        for notice in Notice.objects.due(now)[:_AT_ONCE]:
            if clock() - began > _FOR_S:
                break
            if notice.endpoint_id in failing or not outbox.take(notice, now, _LEASE):
                continue
            tried += 1
            delivered, answer = _post(http, notice, resolve)
            if not delivered:
                failing.add(notice.endpoint_id)
                logger.warning(
                    "a system did not take a notice", extra={"notice": notice.pk, "answer": answer}
                )
            wait = timedelta(seconds=_WAITS_S[min(notice.tries, len(_WAITS_S) - 1)])
            outbox.settle(notice, delivered=delivered, answer=answer, wait=wait, now=now)
    return tried


def sign(secret: str, body: bytes, at_s: int) -> str:
    """Return the signature of a body sent at a moment: who has the secret can tell it is ours, and fresh."""
    mac = hmac.new(secret.encode(), f"{at_s}.".encode() + body, hashlib.sha256)
    return f"t={at_s},v1={mac.hexdigest()}"


def _post(http: httpx.Client, notice: Notice, resolve: Resolve) -> tuple[bool, str]:
    """Send one notice; return whether it was taken, and what was answered."""
    if not notice.endpoint.secret:
        return False, "not sent: its secret cannot be read"
    body = notice.body.encode()
    try:
        url, headers, extensions = _target(httpx.URL(notice.endpoint.url), resolve)
        headers |= {
            "Content-Type": "application/json",
            "User-Agent": "courier-voice",
            "X-Courier-Event": notice.event_id,
            SIGNATURE: sign(notice.endpoint.secret, body, int(datetime.now(UTC).timestamp())),
        }
        request = http.build_request("POST", url, content=body, headers=headers, extensions=extensions)
        answer = http.send(request, stream=True)  # what it says beside its status is nobody's business
        answer.close()
    except ForbiddenAddressError:
        return False, "not sent: the address is in a private network or nowhere"
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        return False, f"not delivered: {type(error).__name__}"
    return answer.is_success, f"{answer.status_code}"


def _target(url: httpx.URL, resolve: Resolve) -> tuple[httpx.URL, dict[str, str], dict[str, str]]:
    """Return the address to connect to, resolved once: a second look might be answered otherwise.

    Raises:
        ForbiddenAddressError: it leads into a private network.
    """
    try:
        found = resolve(url.host, url.port or (443 if url.scheme == "https" else 80))
    except OSError as error:
        raise ForbiddenAddressError from error
    if not found or not (settings.OUTBOX_PRIVATE or all(is_public(one) for one in found)):
        raise ForbiddenAddressError
    named = url.netloc.decode("ascii")
    return url.copy_with(host=found[0]), {"Host": named}, {"sni_hostname": url.raw_host.decode("ascii")}
