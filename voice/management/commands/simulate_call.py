"""Place one call to a deployment, as a customer on the telephone would."""

import asyncio
import errno
import importlib
import json
import logging
import socket
from argparse import ArgumentParser
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from voice.access import voice_address
from voice.audio import MODEL_OUT_HZ
from voice.sandbox import report
from voice.sandbox.brain import Voice
from voice.sandbox.call_record import CallRecord
from voice.sandbox.caller import Interrupt, Line, Say, Script
from voice.sandbox.carrier import FakeCarrier
from voice.sandbox.delays import Added, ModelWatch
from voice.sandbox.hooks import Family, Manners
from voice.sandbox.live_server import LiveServer
from voice.sandbox.recording import at_telephone_rate, read_wav, stereo_wav
from voice.sandbox.scenario import load
from voice.sandbox.scripted import scripted_voice
from voice.sandbox.stream import Leg

_SPEECH_PACKAGES = "the speech packages of requirements/offline-voice.lock"
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Command(BaseCommand):
    """Ring the agent, say something, listen, and tell what happened."""

    help = (
        "Place one call to a deployment through a fake carrier: say something, hear the answer, print "
        "turns, tools and timings. Works against any deployment that can be reached; turns and tools are "
        "seen only where this command shares its database."
    )
    # They are about a deployment's settings. These are a caller's, who has the few that ringing takes.
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--url", default="", help="the voice webhook (default: of PUBLIC_URL)")
        parser.add_argument("--from", dest="frm", default="+254700000001", help="the customer's number")
        parser.add_argument("--to", default=settings.SAUTIKIT_NUMBER or "+254700000099", help="our number")
        said = parser.add_mutually_exclusive_group()
        said.add_argument("--say", nargs="+", metavar="TEXT", help="sentences to say, each in its turn")
        said.add_argument("--wav", nargs="+", metavar="FILE", type=Path, help="recordings to play instead")
        parser.add_argument("--interrupt", metavar="TEXT", help="said last, over the agent's answer")
        parser.add_argument("--interrupt-after-ms", type=int, default=1000, help="of the agent talking")
        parser.add_argument("--pause-ms", type=int, default=1500, help="silence of the agent before a turn")
        parser.add_argument("--linger-ms", type=int, default=3000, help="silence before hanging up")
        parser.add_argument("--patience-s", type=float, default=20.0, help="the longest wait for an answer")
        parser.add_argument("--family", choices=list(Family), default=Family.LIVE, help="of webhook fields")
        parser.add_argument("--irregular", action="store_true", help="send frames of any length")
        parser.add_argument(
            "--model",
            choices=["scripted", "offline"],
            help="be the model too, at the port of GEMINI_LIVE_URL: then the bridge's own delay is known",
        )
        parser.add_argument(
            "--record",
            metavar="OUT.wav",
            type=Path,
            help="left caller, right agent (default: var/calls, named after the call)",
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        """Place the call and print what came of it; fail when it did not come about."""
        for ours in (
            "uvicorn.error",
            "websockets.server",
        ):  # our own carrier's and model's comings and goings
            logging.getLogger(ours).setLevel(logging.WARNING)
        record, bridge = asyncio.run(_place(options))
        recording: Path = options["record"] or _recording_of(record)
        recording.write_bytes(stereo_wav(record.said, record.heard))
        told = report.document(record, bridge, recording)
        self.stdout.write(json.dumps(told, indent=2) if options["json"] else "\n".join(report.lines(told)))
        if record.status != "completed" or not record.media.sent:
            raise CommandError(f"the call did not come about: {'; '.join(record.faults) or record.ended_by}")


def _recording_of(record: CallRecord) -> Path:
    folder = Path(settings.BASE_DIR) / "var" / "calls"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{record.session_id}.wav"


async def _place(options: dict[str, Any]) -> tuple[CallRecord, Added | None]:
    lines = await _script(options)
    caller = Script(lines, linger_ms=options["linger_ms"], patience_s=options["patience_s"])
    secret = next(iter(settings.SAUTIKIT_SIGNING_SECRETS), "")
    carrier = FakeCarrier(
        options["url"] or voice_address(),
        api_key=settings.SAUTIKIT_API_KEY or "sandbox-key",
        manners=Manners(family=Family(options["family"])),
        signing_secret=secret,
        leg=Leg(irregular=options["irregular"], hiss=2),
        port=_port_of(settings.SAUTIKIT_BASE_URL) or 0,
    )
    watch = ModelWatch()
    async with _model(options["model"], watch), carrier:
        record = await carrier.place_call(options["to"], options["frm"], caller)
    return record, record.added(watch) if options["model"] else None


@asynccontextmanager
async def _model(kind: str | None, watch: ModelWatch) -> AsyncIterator[None]:
    """Be the model for the time of the call, and watch what passes."""
    if kind is None:
        yield
        return
    port = _port_of(settings.GEMINI_LIVE_URL)
    if port is None:
        raise CommandError("--model needs GEMINI_LIVE_URL at a free port of this machine")

    async with LiveServer(voice=_voice(kind), port=port, witness=watch.note):
        yield


def _voice(kind: str) -> Voice:
    if kind == "scripted":
        return scripted_voice(load("receptionist"))
    try:
        voice: Voice = importlib.import_module("voice.sandbox.offline").offline_voice()
    except ImportError as error:
        raise CommandError(f"--model offline needs {_SPEECH_PACKAGES}: {error}") from error
    return voice


def _port_of(url: str) -> int | None:
    """Return the port of an address on this machine, when it is free for us."""
    try:
        base = urlsplit(url)
        port: int | None = base.port if base.hostname in _LOOPBACK else None
    except ValueError:
        return None
    if port is None:
        return None
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return None
            raise
    return port


async def _script(options: dict[str, Any]) -> list[Line]:
    """Return what the caller says, as sound."""
    words: list[str] = [*(options["say"] or []), *filter(None, [options["interrupt"]])]
    spoken = await _spoken(words) if words else []
    after_ms = options["pause_ms"]
    try:
        lines: list[Line] = [Say(read_wav(path), after_ms) for path in options["wav"] or []]
    except (OSError, ValueError) as error:
        raise CommandError(str(error)) from error
    last = [Interrupt(spoken.pop(), options["interrupt_after_ms"])] if options["interrupt"] else []
    return [*lines, *(Say(pcm, after_ms) for pcm in spoken), *last]


async def _spoken(words: Sequence[str]) -> list[bytes]:
    """Return sentences as 16 kHz speech."""
    try:
        mouth = importlib.import_module("voice.sandbox.mouth").OfflineMouth()
        return [at_telephone_rate(await mouth.speak(text), MODEL_OUT_HZ) for text in words]
    except ImportError as error:
        raise CommandError(f"--say needs {_SPEECH_PACKAGES}: {error}") from error
