"""Tell browsers what our pages may load: of our own what they need, of nobody else anything."""

from collections.abc import Awaitable, Callable, Mapping
from inspect import iscoroutinefunction
from typing import Any

from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponseBase
from django.utils.decorators import sync_and_async_middleware

ADMIN = "/admin/"
POLICIES: Mapping[str, str] = {
    # The admin's Alpine reads its attributes as code, and sets styles in the page: both were tried without.
    ADMIN: "default-src 'self'; script-src 'self' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    # Swagger asks us for the schema and, tried out there, for the rest.
    "/api/docs": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "/": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
}
"""What holds below which path, the longer path first."""

SOFTPHONE = "/admin/softphone/"
"""The one page that a browser may lend a microphone."""

Get = Callable[[HttpRequest], Any]


def policy_of(path: str) -> str:
    """Return the content security policy of a page."""
    return next(policy for prefix, policy in POLICIES.items() if path.startswith(prefix))


def powers_of(path: str) -> str:
    """Return what of the visitor's machine a page may ask for: nothing, but the softphone a microphone."""
    return f"camera=(), geolocation=(), microphone=({'self' if path == SOFTPHONE else ''})"


@sync_and_async_middleware
def content_security_policy(get_response: Get) -> Get:
    """Send with each response what its page may load and ask for; no thread of its own when async."""
    if iscoroutinefunction(get_response):

        async def answer_async(request: HttpRequest) -> HttpResponseBase:
            response: Awaitable[HttpResponseBase] = get_response(request)
            return _with_policy(request, await response)

        return answer_async

    def answer(request: HttpRequest) -> HttpResponseBase:
        return _with_policy(request, get_response(request))

    return answer


def _with_policy(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    policy = policy_of(request.path) + (_sockets(request) if request.path.startswith(ADMIN) else "")
    response.headers.setdefault("Content-Security-Policy", policy)
    response.headers.setdefault("Permissions-Policy", powers_of(request.path))
    return response


def _sockets(request: HttpRequest) -> str:
    """Return what lets the admin's pages open sockets to us: not in every browser does 'self' mean these."""
    try:
        host = request.get_host()
    except DisallowedHost:  # it is refused, and its page opens nothing
        return ""
    return f"; connect-src 'self' ws://{host} wss://{host}"
