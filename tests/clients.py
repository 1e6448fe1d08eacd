"""Systems of the courier's that use the API, for tests."""

from typing import Any

from django.test import Client
from django.utils import timezone

from shipments import tokens
from shipments.clients import Scope


class System:
    """One of the courier's systems, with a token."""

    def __init__(self, *scopes: str, name: str = "warehouse", shipper: str = "") -> None:
        self.row, self.token = tokens.make_client(
            name=name, scopes=scopes or Scope.values, shipper=shipper, by="mary", now=timezone.now()
        )
        self._http = Client(headers={"Authorization": f"Bearer {self.token}"})

    def get(self, path: str, **query: str | int) -> Any:
        """Ask for something under /api/v1."""
        return self._http.get(f"/api/v1/{path}", query)

    def post(self, path: str, body: object) -> Any:
        """Send something."""
        return self._http.post(f"/api/v1/{path}", body, content_type="application/json")

    def patch(self, path: str, body: object) -> Any:
        """Change something."""
        return self._http.patch(f"/api/v1/{path}", body, content_type="application/json")
