"""Hold the demonstration's calls: real speech both ways, each kept as a recording and read from it again.

Each scene (voice/sandbox/demo_scenes.py) says who calls or is called, what is said, and what has to be heard
and changed, and what must not be (voice/sandbox/demo_checks.py).
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from shipments.statuses import ChangeKind, ChangeState
from voice.audio import MODEL_OUT_HZ, TELEPHONE_HZ
from voice.sandbox import tones
from voice.sandbox.call_record import CallRecord
from voice.sandbox.callees import Callee, Callees, Nobody
from voice.sandbox.caller import Caller, Greet, Interrupt, Line, Say, Script
from voice.sandbox.carrier import FakeCarrier
from voice.sandbox.recording import at_telephone_rate, stereo_wav
from voice.statuses import DialOutcome, DialState

_PATIENCE_S = 30  # the way to a door takes twenty seconds to tell, and a proposal sixteen
_PAUSE_MS = 1_800  # on a busy machine the agent's own speech has gaps of more than a second
_LINGER_MS, _RECORD_MS = 2_000, 8_000
_APART_S = 0.5  # so many people do not ring in one second, and of more than five the line refuses some


@dataclass(frozen=True, slots=True)
class Speech:
    """How words become sound for callers (16 kHz) and sound becomes words again."""

    say: Callable[[str, float], Awaitable[bytes]]
    read: Callable[[bytes], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class Turn:
    """Something that a caller says: when the agent is done, cutting in, or first of all as machines do."""

    words: str
    cuts_in: bool = False
    comes_first: bool = False


@dataclass(frozen=True, slots=True)
class Wanted:
    """The change that a call has to leave: to a day and hours, or to a place known by its landmark.

    One that is `approved` waits for that when the call is over, and is carried out by it.
    """

    kind: ChangeKind
    state: ChangeState
    window: tuple[str, str] | None = None
    landmark: str = ""
    approved: bool = False


@dataclass(frozen=True, slots=True)
class Placed:
    """What has to come of a call that we place: where it ends, why, and whether it is planned `again`."""

    state: DialState = DialState.DONE
    outcome: DialOutcome | None = DialOutcome.ANSWERED
    because: str = ""
    again: bool = False

    @property
    def rings(self) -> bool:
        """Tell whether anybody's telephone is to ring for it."""
        return self.state is not DialState.SUPPRESSED


@dataclass(frozen=True, slots=True)
class Scene:
    """One call: with whom, at which pitch, what is said, what is to be heard and which change to be made.

    Of `gist` most words have to be heard, of `must_hear` every letter. `codes` are neither to be heard nor
    to be found in what is kept of the call. `code_sent` asks for a message with the code of a gate instead.
    """

    title: str
    number: str
    pitch: float
    turns: tuple[Turn, ...]
    must_hear: tuple[str, ...] = ()
    wanted: Wanted | None = None
    must_not_hear: tuple[str, ...] = ()
    gist: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    code_sent: bool = False
    placed: Placed | None = None
    longest_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Shown:
    """A scene that was played: the carrier's record, the agent's words as read from it, the recording.

    Of a call that was never placed there is neither.
    """

    scene: Scene
    record: CallRecord | None = None
    heard: str = ""
    recording: Path | None = None


# How it is played


async def cast(all_scenes: Sequence[Scene], speech: Speech) -> dict[str, Caller]:
    """Return who says the turns of each scene, by the number that he has."""
    # The first time takes seconds, in which nobody is to wait for an answer.
    await speech.read(await speech.say("Is anybody there?", 1.0))
    return {scene.number: await person(scene, speech) for scene in all_scenes}


async def person(scene: Scene, speech: Speech) -> Caller:
    """Return who says a scene's turns."""
    lines = [await _line(turn, scene.pitch, speech) for turn in scene.turns]
    is_recording = any(turn.comes_first for turn in scene.turns)
    return Script(lines, linger_ms=_RECORD_MS if is_recording else _LINGER_MS, patience_s=_PATIENCE_S)


def at_home(people: Mapping[str, Caller]) -> Callees:
    """Return who answers at a number: its owner, or nobody where there is none."""

    def answer(number: str) -> Callee:
        return people.get(number, Nobody.NO_ANSWER)

    return answer


async def play(
    all_scenes: Sequence[Scene],
    people: Mapping[str, Caller],
    carrier: FakeCarrier,
    own_number: str,
    place_calls: Callable[[], Awaitable[None]],
    speech: Speech,
    folder: Path,
) -> list[Shown]:
    """Hold all calls side by side, ours once `place_calls` has placed them, and then read the recordings."""
    placing = asyncio.ensure_future(place_calls())

    async def hold(place: int, scene: Scene) -> CallRecord | None:
        if scene.placed is None:
            await asyncio.sleep(place * _APART_S)
            return await carrier.place_call(own_number, scene.number, people[scene.number])
        await placing
        return await carrier.placed_to(scene.number)

    held = await asyncio.gather(*(hold(place, scene) for place, scene in enumerate(all_scenes, 1)))
    # Not before all are over: reading takes what the calls that still go on need of the machine.
    played = zip(all_scenes, held, strict=True)
    return [
        await listened(scene, record, speech, folder / f"call-{place}.wav") if record else Shown(scene)
        for place, (scene, record) in enumerate(played, 1)
    ]


async def listened(scene: Scene, record: CallRecord, speech: Speech, recording: Path) -> Shown:
    """Keep a call's recording, and read from it what the agent said."""
    await asyncio.to_thread(recording.write_bytes, stereo_wav(record.said, record.heard))
    return Shown(scene, record, await speech.read(record.heard), recording)


async def _line(turn: Turn, pitch: float, speech: Speech) -> Line:
    pcm = await speech.say(turn.words, pitch)
    if turn.comes_first:
        return Greet(pcm)
    return Interrupt(pcm, 1_500) if turn.cuts_in else Say(pcm, _PAUSE_MS)


# How it sounds


def offline_speech() -> Speech:
    """Return real speech, of this machine; raises ImportError where its packages are missing."""
    from voice.sandbox.ears import transcribe  # noqa: PLC0415 - only where the extra is installed
    from voice.sandbox.mouth import OfflineMouth  # noqa: PLC0415 - the same

    async def say(words: str, pitch: float) -> bytes:
        return at_telephone_rate(await OfflineMouth(pitch).speak(words), MODEL_OUT_HZ)

    return Speech(say, transcribe)


def tonal_speech() -> Speech:
    """Return words as tones, for where no speech package is."""

    async def say(words: str, pitch: float) -> bytes:
        return tones.encode(words, TELEPHONE_HZ)

    async def read(pcm: bytes) -> str:
        return tones.decode(pcm, TELEPHONE_HZ)

    return Speech(say, read)
