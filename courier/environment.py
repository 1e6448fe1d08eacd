"""Read settings from the environment or from files that it names, and say of a bad one which it is."""

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


_YES = frozenset(("1", "true", "yes", "on"))
_NO = frozenset(("0", "false", "no", "off"))
