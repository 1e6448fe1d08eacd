"""How long the real service takes for what it does."""

from dataclasses import dataclass, replace

from voice.sandbox.mishaps import Mishap


@dataclass(frozen=True, slots=True)
class Timing:
    """How long the service takes (gemini-live.md §3.2, §5.4, §6.5)."""

    setup_s: float = 0.25
    handle_s: float = 0.15  # from the confirmation to the resumption handle
    think_s: float = 0.0  # added to what the brain and the mouth take
    life_s: float = 3480.0
    notice_s: float = 60.0  # `goAway` comes that long before the end
    resume_s: float = 1.0  # a handle of an idle conversation is refused for so long
    refuse_s: float = 0.5

    def after(self, mishap: Mishap) -> "Timing":
        """Return it with what a mishap changes."""
        changed = {name: getattr(mishap, name) for name in ("setup_s", "life_s", "notice_s")}
        return replace(self, **{name: value for name, value in changed.items() if value is not None})
