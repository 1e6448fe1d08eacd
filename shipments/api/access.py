"""Let a client of the API in by its token, to what its scopes and its shipper allow, so often a minute."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle
from rest_framework.views import APIView

from shipments.clients import ApiClient
from shipments.tokens import client_of

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


class ClientThrottle(SimpleRateThrottle):
    """Counts a client's requests in this process: a client that runs wild does not take the line with it."""

    scope = "client"

    def get_rate(self) -> str:
        """Return how many requests a minute a client may make."""
        return f"{settings.API_PER_MINUTE}/min"

    def get_cache_key(self, request: Request, view: APIView) -> str:
        """Return what the requests are counted under."""
        return f"api:{client_in(request).pk}"


def client_in(request: Request) -> ApiClient:
    """Return the client that asks; authentication lets nobody else in."""
    client: Any = request.user
    if not isinstance(client, ApiClient):
        raise AuthenticationFailed
    return client
