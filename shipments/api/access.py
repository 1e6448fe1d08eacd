"""Let a client of the API in by its token, to what its scopes and its shipper allow, so often a minute."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from shipments.clients import ApiClient
from shipments.tokens import client_of, wait_s

_LONGEST = 200


class TokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer TOKEN`; a token in an address would end up in logs, so it is not looked for."""

    def authenticate(self, request: Request) -> tuple[ApiClient, str]:
        """Return the client that asks.

        Raises:
            AuthenticationFailed: there is no token, or it opens nothing; both in the same words.
        """
        scheme, _, token = get_authorization_header(request).decode("latin-1").partition(" ")
        known = scheme.lower() == "bearer" and 0 < len(token) <= _LONGEST
        client = client_of(token, timezone.now()) if known else None
        if client is None:
            raise AuthenticationFailed("Send a valid token: Authorization: Bearer …")
        return client, "token"

    def authenticate_header(self, request: Request) -> str:
        """Return what a 401 says of how to come in."""
        return "Bearer"


class HasScope(BasePermission):
    """Lets a client do what its scopes name; the view says which each method needs."""

    message = "This token does not allow that."

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Tell whether the client may use this method here; an unknown method is answered as such."""
        scopes: Mapping[str, str] = getattr(view, "scopes", {})
        needed = scopes.get("GET" if request.method == "HEAD" else str(request.method))
        return needed is None or client_in(request).may([needed])


class ClientThrottle(BaseThrottle):
    """Lets a client ask so often a minute: one that runs wild does not take the line with it."""

    def __init__(self) -> None:
        self._wait_s = 0.0

    def allow_request(self, request: Request, view: APIView) -> bool:
        """Tell whether this request may go on."""
        self._wait_s = wait_s(client_in(request), settings.API_PER_MINUTE, timezone.now())
        return not self._wait_s

    def wait(self) -> float:
        """Return after how many seconds it may be sent again."""
        return self._wait_s


def client_in(request: Request) -> ApiClient:
    """Return the client that asks; authentication lets nobody else in."""
    client: Any = request.user
    if not isinstance(client, ApiClient):
        raise AuthenticationFailed
    return client
