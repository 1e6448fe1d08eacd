"""Read JSON as the real service does: both spellings of a name, no name that it does not know; pure.

A shape takes a value and where it stands, and returns it with every known name in camelCase.
"""

import binascii
from base64 import b64decode
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

Shape = Callable[[Any, str], Any]


class ShapeError(ValueError):
    """A value is not what its place asks for; the text is what the service would say."""


_INVALID = "Request contains an invalid argument."

_NAMES = 256  # a frame of audio has those of the one before, fifty times a second


@lru_cache(_NAMES)
def camel(name: str) -> str:
    """Return `name` in camelCase, whichever of the two spellings it has."""
    head, *tail = name.split("_")
    return head + "".join(word[:1].upper() + word[1:] for word in tail)


@lru_cache(_NAMES)
def snake(name: str) -> str:
    """Return `name` in snake_case, in which the service reports what it refuses."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def text(value: Any, at: str) -> str:
    """Take a string."""
    if not isinstance(value, str):
        raise ShapeError(_INVALID)
    return value


def truth(value: Any, at: str) -> bool:
    """Take true or false."""
    if not isinstance(value, bool):
        raise ShapeError(_INVALID)
    return value


def number(value: Any, at: str) -> float:
    """Take any number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ShapeError(_INVALID)
    return value


def whole(value: Any, at: str) -> int:
    """Take a whole number; a string of digits is one, too."""
    if isinstance(value, str) and value.isascii() and value.removeprefix("-").isdecimal():
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ShapeError(_INVALID)
    return value


def base64(value: Any, at: str) -> bytes:
    """Take bytes, in either alphabet."""
    try:
        return b64decode(text(value, at).translate(str.maketrans("-_", "+/")), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ShapeError(f"Invalid value at '{at}' (TYPE_BYTES), Base64 decoding failed") from error


def free(value: Any, at: str) -> dict[str, Any]:
    """Take any object; the names in it are its writer's own."""
    if not isinstance(value, dict):
        raise ShapeError(_INVALID)
    return value


def anything(value: Any, at: str) -> Any:
    """Take any value."""
    return value


def one_of(*names: str) -> Shape:
    """Take one of `names`."""

    def shape(value: Any, at: str) -> str:
        if value not in names:
            raise ShapeError(f"Invalid value at '{at}', \"{value}\"" if isinstance(value, str) else _INVALID)
        return str(value)

    return shape


def several(item: Shape) -> Shape:
    """Take a list."""

    def shape(value: Any, at: str) -> list[Any]:
        if not isinstance(value, list):
            raise ShapeError(_INVALID)
        return [item(one, f"{at}[{position}]") for position, one in enumerate(value)]

    return shape


def named(item: Shape) -> Shape:
    """Take an object whose names are its writer's own and whose values are all of one shape."""

    def shape(value: Any, at: str) -> dict[str, Any]:
        return {name: item(one, f"{at}[{name}]") for name, one in free(value, at).items()}

    return shape


def fields(**known: Shape) -> Shape:
    """Take an object that has no other fields than these, in either spelling; null is not there."""
    return struct(known)


def struct(known: Mapping[str, Shape]) -> Shape:
    """Take an object as `fields` does; `known` may still grow, so that shapes can hold themselves."""

    def shape(value: Any, at: str) -> dict[str, Any]:
        taken: dict[str, Any] = {}
        for name, one in free(value, at).items():
            spelled = camel(name)
            if spelled not in known or name not in (spelled, snake(spelled)):
                raise ShapeError(
                    f"Invalid JSON payload received. Unknown name \"{name}\" at '{at}': Cannot find field."
                )
            if spelled in taken:
                raise ShapeError(_INVALID)
            if one is not None:
                taken[spelled] = known[spelled](one, f"{at}.{snake(spelled)}" if at else snake(spelled))
        return taken

    return shape
