"""Tell the gate how the model fares: whether conversations can be begun."""

from collections.abc import AsyncIterator, Awaitable, Callable

from voice.admission import Gate
from voice.errors import ModelBusy, ModelRefused, RemoteError
from voice.ports import Model


class WatchedModel:
    """A connection to the model that reports its first frame, which says that it is set up."""

    def __init__(self, model: Model, gate: Gate) -> None:
        self._model = model
        self._gate = gate
        self.send = model.send
        self.send_now = model.send_now
        self.close = model.close

    @property
    def congested(self) -> bool:
        """Tell whether a frame sent now would have to wait."""
        return self._model.congested

    async def __aiter__(self) -> AsyncIterator[str | bytes]:
        """Yield the frames that arrive."""
        begun = False
        try:
            async for frame in self._model:
                if not begun:
                    begun = True
                    self._gate.note_success()
                yield frame
        except RemoteError as error:
            if not begun:
                _report(self._gate, error)
            raise


def watched(dial: Callable[[], Awaitable[Model]], gate: Gate) -> Callable[[], Awaitable[Model]]:
    """Return the way to dial the model that reports to `gate` how it went."""

    async def dial_and_report() -> Model:
        try:
            return WatchedModel(await dial(), gate)
        except RemoteError as error:
            _report(gate, error)
            raise

    return dial_and_report


def _report(gate: Gate, error: RemoteError) -> None:
    # What it refuses for our key, our settings or our quota, it refuses to the next call too.
    gate.note_failure(at_once=isinstance(error, (ModelRefused, ModelBusy)))
