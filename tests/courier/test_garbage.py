"""What calls leave is swept away when nobody is on the line, and only then."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from courier.garbage import Sweeper


class Circle:
    """Something that knows itself, as what a call leaves does."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def _nothing_is_collected_by_itself() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


def test_what_calls_left_goes_when_the_last_one_has_gone():
    sweeper, left = Sweeper(), weakref.ref(Circle())

    sweeper.look(2)
    sweeper.look(1)
    assert left() is not None

    sweeper.look(0)
    assert left() is None


def test_nothing_is_looked_for_while_no_call_comes():
    sweeper = Sweeper()
    sweeper.look(1)
    sweeper.look(0)
    left = weakref.ref(Circle())

    sweeper.look(0)

    assert left() is not None
