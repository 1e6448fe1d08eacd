"""Read settings from the environment or from files that it names, and say of a bad one which it is."""

import json
from datetime import date
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from environ import FileAwareEnv
from environ.fileaware_mapping import FileAwareMapping


class _Environment(FileAwareMapping):  # type: ignore[misc] # django-environ ships no types
    """The environment, without the line end that editors leave at the end of a secret's file."""

    def __getitem__(self, key: str) -> str:
        return str(super().__getitem__(key)).strip()


class Env(FileAwareEnv):  # type: ignore[misc] # django-environ ships no types
    """The environment, and the files that it names."""

    def __init__(self) -> None:
        super().__init__()
        self.ENVIRON = _Environment()  # of its own: it remembers what the files held

    def get_value(self, var: str, cast: Any = None, default: Any = None, parse_default: bool = False) -> Any:
        """Return a setting as what it is to be; an empty one counts as not set.

        Ours, for three reasons: the package takes a secret that begins with a dollar for a reference, takes
        DEBUG=of for a no, and its errors do not say which setting they are about.

        Raises:
            ImproperlyConfigured: the value cannot be read; the message never holds it.
        """
        try:
            text: str = self.ENVIRON.get(var, "")
        except OSError as error:
            raise ImproperlyConfigured(
                f"{var}_FILE names a file that cannot be read: {error.strerror}"
            ) from None
        if not text:
            return default
        if cast is list:
            return [part.strip() for part in text.split(",") if part.strip()]
        if cast is bool:
            if text.lower() not in _YES | _NO:
                raise ImproperlyConfigured(f"{var} is neither yes nor no: set it to 1 or 0")
            return text.lower() in _YES
        try:
            return cast(text)
        except ValueError:
            raise ImproperlyConfigured(f"{var} is not a number") from None

    def table(self, var: str, default: Any) -> Any:
        """Return a setting that is JSON of the default's shape, rows in a list or by name; `from` is a day.

        Raises:
            ImproperlyConfigured: it is not; the message never holds it.
        """
        text = self.get_value(var, cast=str)
        if text is None:
            return default
        try:
            found = json.loads(text, object_hook=_dated)
        except (ValueError, TypeError):
            raise ImproperlyConfigured(f"{var} is no JSON, or a day in it is not like 2026-07-01") from None
        by_name = isinstance(default, dict)
        rows = found.values() if isinstance(found, dict) else found
        if isinstance(found, dict) != by_name or not all(isinstance(row, dict) for row in rows):
            raise ImproperlyConfigured(f"{var} is no JSON {'object' if by_name else 'array'} of objects")
        return found


def _dated(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "from": date.fromisoformat(row["from"])} if "from" in row else row


_YES = frozenset(("1", "true", "yes", "on"))
_NO = frozenset(("0", "false", "no", "off"))
