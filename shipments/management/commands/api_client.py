"""Make a client of the API, list them, or shut one out."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import IntegrityError
from django.utils import timezone

from shipments import tokens
from shipments.clients import ApiClient, Scope

_BY = "api_client"


class Command(BaseCommand):
    """Keep the clients of the API from a shell."""

    help = "Make a client of the API and print its token, once; list the clients; or shut one out."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare what can be done."""
        what = parser.add_subparsers(dest="what", required=True)
        make = what.add_parser("make", help="make a client and print its token")
        make.add_argument("name")
        make.add_argument("scopes", nargs="+", choices=Scope.values, metavar="SCOPE")
        make.add_argument("--shipper", default="", help="only this shipper's parcels")
        what.add_parser("list", help="say which clients there are")
        revoke = what.add_parser("revoke", help="shut a client out for good")
        revoke.add_argument("name")
        revoke.add_argument("--reason", required=True)

    def handle(self, *args: Any, what: str, **options: Any) -> None:
        """Do what was asked for."""
        match what:
            case "make":
                self._make(**options)
            case "revoke":
                self._revoke(**options)
            case _:
                self._list()

    def _make(self, *, name: str, scopes: list[str], shipper: str, **_: Any) -> None:
        try:
            made = tokens.make_client(name=name, scopes=scopes, shipper=shipper, by=_BY, now=timezone.now())
        except IntegrityError as error:
            raise CommandError(f"there is a client named {name} already") from error
        self.stdout.write(made[1])

    def _list(self) -> None:
        for row in ApiClient.objects.all():
            state = f"shut out {row.revoked_at:%Y-%m-%d}" if row.revoked_at else "open"
            whose = row.shipper or "every shipper"
            self.stdout.write(f"{row.name}  {state}  {whose}  {' '.join(row.scopes)}")

    def _revoke(self, *, name: str, reason: str, **_: Any) -> None:
        found = ApiClient.objects.filter(name=name).first()
        if found is None:
            raise CommandError(f"there is no client named {name}")
        done = tokens.revoke(client_id=found.pk, by=_BY, reason=reason, now=timezone.now())
        self.stdout.write(f"{name} is shut out" if done else f"{name} was shut out already")
