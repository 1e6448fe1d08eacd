"""Keep account of a call's tools: every id answered once, every wish acted on once.

A model that is interrupted while it waits for a tool forgets that it asked and asks again, under a new id
and in other words (gemini-live.md §6.4). So wishes are told apart by their business key.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto

from voice.events import ToolDone
from voice.wire import gemini

_SAID = 200


class Asked(Enum):
    """What a call of a tool turned out to be."""

    NEW = auto()  # to be run
    RUNNING = auto()  # the same wish is being acted on: it will be answered with it
    KNOWN = auto()  # the same wish was acted on


@dataclass(slots=True)
class _Wish:
    key: str
    first: gemini.ToolCall
    owed: dict[str, gemini.ToolCall]  # by id: who waits for the answer
    awaited: bool = True  # the model still waits for it, as far as we know
    done: ToolDone | None = None
    done_s: float = 0.0
    told: bool = False

    @property
    def may_finish(self) -> bool:
        """Tell whether what it comes to is to come yet: it runs, or was late and may do it all the same."""
        return self.done is None or self.done.state == "timed_out"


@dataclass(slots=True)
class Ledger:
    """The tool calls of one telephone call.

    `changing` are the tools that change something: of these a success stands for the whole call, and one that
    was late for `repeat_s`, as it may be done all the same. Of the others an answer stands for `repeat_s`, as
    long as it was asked nothing else and nothing was changed; a refusal only until something is done, since
    that may be what it asked for. What one of the `proposing` proposed stands until another does.
    """

    key_of: Callable[[str, object], str]
    changing: frozenset[str]
    proposing: frozenset[str]
    repeat_s: float
    _wishes: list[_Wish] = field(default_factory=list)
    _ids: dict[str, _Wish] = field(default_factory=dict)

    @property
    def is_open(self) -> bool:
        """Tell whether the model waits for an answer."""
        return any(wish.done is None and wish.awaited and wish.owed for wish in self._wishes)

    def ask(self, call: gemini.ToolCall, now_s: float) -> Asked:
        """Enter a call of the model's; its id is a new one."""
        key = self.key_of(call.name, call.args)
        wish = self._standing(key, call.name, now_s)
        if wish is None:
            wish = _Wish(key, call, {call.id: call})
            self._wishes.append(wish)
            self._ids[call.id] = wish
            return Asked.NEW
        self._ids[call.id] = wish
        wish.awaited = True
        wish.owed[call.id] = call
        return Asked.RUNNING if wish.done is None else Asked.KNOWN

    def settle(self, call: gemini.ToolCall) -> Mapping[str, object]:
        """Return the answer to a call whose wish is known, as told."""
        wish = self._ids[call.id]
        wish.owed.pop(call.id, None)
        wish.told = True
        return wish.done.result if wish.done else {}

    def finish(self, done: ToolDone, now_s: float) -> list[gemini.ToolCall]:
        """Take what a tool came to; return the calls to answer with it."""
        # Not by its id: a new conversation may give an old one to another call. One that took too long was
        # answered for, and may be done after all: that is what counts then.
        wish = next((one for one in self._wishes if one.first == done.call and one.may_finish), None)
        if wish is None:
            return []
        wish.done, wish.done_s = done, now_s
        answered, wish.owed = list(wish.owed.values()), {}
        # Nobody waits for what was withdrawn before it began, or did nothing.
        wish.told = bool(answered and wish.awaited) or done.state != "ok"
        return answered

    def forget(self) -> None:
        """Note that the model has dropped what it waits for: the caller spoke meanwhile."""
        for wish in self._wishes:
            if wish.done is None:
                wish.awaited = False

    def lose_ids(self) -> None:
        """Note that a new conversation begins, to which the old calls mean nothing."""
        self.forget()
        for wish in self._wishes:
            wish.owed.clear()

    def cancel(self, ids: tuple[str, ...]) -> None:
        """Note that the answers to these calls are not wanted."""
        for one in ids:
            if one in self._ids:
                self._ids[one].owed.pop(one, None)

    def untold(self) -> list[ToolDone]:
        """Return what was done without the model's being told, once."""
        found = [wish for wish in self._wishes if wish.done is not None and not wish.told]
        for wish in found:
            wish.told = True
        return [wish.done for wish in found if wish.done is not None]

    def lines(self) -> list[str]:
        """Return what was asked for and what came of it, a line each, for a model that knows nothing."""
        for wish in self._wishes:
            wish.told = wish.told or wish.done is not None
        return [f"{wish.first.name}: {_came_to(wish.done)}" for wish in self._wishes[-12:]]

    def _standing(self, key: str, name: str, now_s: float) -> _Wish | None:
        asked = [wish for wish in reversed(self._wishes) if wish.first.name == name]
        for place, wish in enumerate(asked):
            if wish.key != key:
                continue
            if wish.done is None:
                return wish
            lately = now_s - wish.done_s <= self.repeat_s
            if name in self.changing:
                return wish if wish.done.state == "ok" or (lately and wish.may_finish) else None
            return wish if place == 0 and lately and self._stands(wish, wish.done) else None
        return None

    def _stands(self, wish: _Wish, done: ToolDone) -> bool:
        """Tell whether what was done since leaves the answer true: a round moves on, a parcel is moved."""
        later = self._wishes[self._wishes.index(wish) + 1 :]
        since = {other.first.name for other in later if other.done is not None and other.done.state == "ok"}
        match done.state:
            case "ok":
                proposed = done.call.name in self.proposing and since & self.proposing
                return not (since & self.changing or proposed)
            case "refused":
                return not since
            case _:
                return False


def _came_to(done: ToolDone | None) -> str:
    if done is None:
        return "still running; you will be told"
    return f"{done.state}: {str(done.result.get('message', ''))[:_SAID]}"
