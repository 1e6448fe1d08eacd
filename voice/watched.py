"""Tell the gate how the model fares: whether conversations can be begun."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable

from voice.admission import Gate
from voice.errors import ModelBusy, ModelRefused, RemoteError
from voice.ports import Model

logger = logging.getLogger(__name__)


class WatchedModel:
    """A connection to the model that reports its first frame, which says that it is set up."""

    def __init__(self, model: Model, gate: Gate) -> None:
        self._model = model
        self._gate = gate
        self.send = model.send
        self.send_now = model.send_now
        self.is_congested = model.is_congested
        self.close = model.close

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
            _report(self._gate, error, begun=begun)
            raise


def watched(dial: Callable[[], Awaitable[Model]], gate: Gate) -> Callable[[], Awaitable[Model]]:
    """Return the way to dial the model that reports to `gate` how it went."""

    async def dial_and_report() -> Model:
        try:
            return WatchedModel(await dial(), gate)
        except RemoteError as error:
            _report(gate, error, begun=False)
            raise

    return dial_and_report


def _report(gate: Gate, error: RemoteError, *, begun: bool) -> None:
    match error:
        case ModelRefused():
            # Our key, a setting or a frame of ours: nothing that passes, so somebody has to look at it.
            logger.error("the voice model refuses us", extra={"why": str(error), "in_mid_call": begun})
            if not begun:
                gate.note_failure(at_once=True)
        case ModelBusy():  # our quota is spent for the next call too
            gate.note_failure(at_once=True)
        case _:
            if not begun:
                gate.note_failure()
