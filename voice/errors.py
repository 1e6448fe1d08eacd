"""Name what may go wrong in a call, by whose side it is on."""


class VoiceError(Exception):
    """Everything that this app raises on purpose."""


class LocalError(VoiceError):
    """Our own side: a setting, a missing package, a full disk."""


class RemoteError(VoiceError):
    """The other side of a wire: the voice model or the telephone platform."""


class RemoteProtocolError(RemoteError):
    """The other side sent what its protocol does not allow."""


class ModelRefused(RemoteError):  # noqa: N818 - the field's word for it
    """The model will never take this key, model name or setup: trying again is useless."""


class ModelBusy(RemoteError):  # noqa: N818 - the field's word for it
    """The model has no room for us now: quota, rate or capacity."""


class ModelLost(RemoteError):  # noqa: N818 - the field's word for it
    """The connection to the model broke or could not be made; another may do.

    `silent` when no close frame came: the model may hold the connection for open.
    """

    def __init__(self, text: str, *, silent: bool = False) -> None:
        super().__init__(text)
        self.silent = silent


class CarrierError(RemoteError):
    """The telephone platform refused a request; `final` when it would refuse it again."""

    def __init__(self, text: str, *, status: int) -> None:
        super().__init__(text)
        self.final = 400 <= status < 500 and status not in (408, 429)


class LayerDownError(RemoteError):
    """The channel layer did not take or give a message in time."""


class NotOrderedError(VoiceError):
    """An order for a live call came to nothing; its text is for the member of staff who gave it."""


class NotRungError(VoiceError):
    """A test call may not begin; its text is for the member of staff who wanted it."""


class ToolError(VoiceError):
    """A tool could not do its work; its text may be said aloud."""
