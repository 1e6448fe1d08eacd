"""Keep codes out of what is kept: while one is asked for, the caller's words are stored as `[code]`. Pure."""

KEYS = frozenset("0123456789")
END_KEY = "#"
CODE_ARGUMENT = "pin"
"""What the argument for a code is called."""

NEEDS_CODE, SPENT = "needs_code", "limit"
"""What an answer says when a code is to be asked for, and when no more may be tried."""

_FEWEST, _MOST = 4, 6


class Secrecy:
    """Whether a code is asked for in this call, and what was typed of it."""

    def __init__(self) -> None:
        self.is_asked = False
        self._keys = ""

    def ask(self) -> None:
        """Note that the caller is asked for a code."""
        self.is_asked = True
        self._keys = ""

    def settle(self) -> None:
        """Note that no code is asked for any more."""
        self.is_asked = False
        self._keys = ""

    def press(self, key: str) -> bool:
        """Take a key; tell whether a code is complete with it."""
        if not self.is_asked:
            return False
        if key == END_KEY:
            return _FEWEST <= len(self._keys) <= _MOST
        if key in KEYS:
            self._keys = (self._keys + key)[-_MOST:]
        return False

    def typed(self) -> str:
        """Return what was typed, once; "" when that is no code."""
        keys, self._keys = self._keys, ""
        return keys if _FEWEST <= len(keys) <= _MOST else ""
