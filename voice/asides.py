"""Keep what the model is to be told once nobody speaks, and show which orders were passed on. Pure."""

from voice import notes
from voice.events import Command, Order, Show
from voice.records import Obeyed
from voice.scene import Scene


class Asides:
    """What waits for a quiet moment of one call."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._waiting: list[tuple[str, Order | None]] = []

    def add(self, words: str) -> None:
        """Have the model told something."""
        self._waiting.append((words, None))

    def order(self, order: Order, words: str) -> None:
        """Have the model told what the desk wants of it."""
        if order is Order.SAY:  # whoever at the desk wants it said answers for it, number or not
            self._scene.speech.allow(words)
        self._waiting.append((notes.from_the_desk(order.value, words), order))

    def take(self, now_s: float) -> tuple[list[str], list[Command]]:
        """Return what the model is told now, in words, and what is shown of it: each once."""
        waiting, self._waiting = self._waiting, []
        obeyed: list[Command] = [self.obeyed(order, now_s) for _, order in waiting if order is not None]
        return [words for words, _ in waiting], obeyed

    def obeyed(self, order: Order, now_s: float) -> Command:
        """Return the command that shows that an order was carried out."""
        return Show(Obeyed(order.value, self._scene.ms(now_s)))
