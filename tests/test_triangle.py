"""Our client, our stand-in for the model and the vendor's own client: each is judged by the other two.

The vendor's client holds a conversation with the stand-in, our bridge does the same, and the vendor's
types read every frame that either of ours sends (gemini-live.md §4).
"""

import asyncio
import json
import ssl
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from google import genai
from google.genai import errors, types

from tests.peers import FakeJournal, FakeTelephone
from tests.vendor import INSTRUCTION, MODEL, TRACK, read_by_vendor, spelled, taken_by_vendor
from voice.bridge import Bridge
from voice.clients.gemini import Endpoint, dial, live_url
from voice.limits import Limits, Tuning
from voice.ports import Outcome, Ports
from voice.records import ToolRecord, TurnRecord, UsageSeen
from voice.sandbox import strictness
from voice.sandbox.live_server import LiveServer, Seen
from voice.sandbox.scenario import parse
from voice.sandbox.scripted import scripted_voice
from voice.sandbox.timing import Timing
from voice.sandbox.tones import decode, encode
from voice.scene import Brief
from voice.session import Session
from voice.wire import gemini, sautikit

GREETING = "Hello, I am an AI."
STATUS = "It is in Nairobi, on its way to you, and it comes today, after two, before four, by car."
FAREWELL = "Goodbye."
SCENARIO = parse(
    {
        "when": [
            {"nudged": "", "say": GREETING},
            {
                "heard": r"parcel (?P<id>\w+)",
                "calls": [{"name": "track_shipment", "args": {"tracking_id": "{id}"}}],
            },
            {"answered": "track_shipment", "say": "{message}"},
            {"heard": "thank you", "say": FAREWELL},
            {"heard": "die", "close": {"code": 1011, "reason": strictness.INTERNAL}},
        ]
    }
)


# The vendor's client and our server


def certificate(folder):
    """Return the contexts of a server at 127.0.0.1 and of a client that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "local model")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "model.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + signed.public_bytes(serialization.Encoding.PEM)
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(path)
    return server, ssl.create_default_context(cafile=path)


def configuration():
    """Return what `our_setup` says, in the vendor's words."""
    return types.LiveConnectConfig(
        response_modalities=[types.Modality.AUDIO],
        speech_config=types.SpeechConfig(
            voice_config=types.VoiceConfig(prebuilt_voice_config=types.PrebuiltVoiceConfig(voice_name="Kore"))
        ),
        system_instruction=types.Content(parts=[types.Part(text=INSTRUCTION)]),
        tools=[types.Tool(function_declarations=[types.FunctionDeclaration.model_validate(TRACK)])],
        realtime_input_config=types.RealtimeInputConfig(
            automatic_activity_detection=types.AutomaticActivityDetection(
                start_of_speech_sensitivity=types.StartSensitivity.START_SENSITIVITY_LOW,
                end_of_speech_sensitivity=types.EndSensitivity.END_SENSITIVITY_LOW,
                prefix_padding_ms=100,
                silence_duration_ms=300,
            ),
            turn_coverage=types.TurnCoverage.TURN_INCLUDES_ONLY_ACTIVITY,
        ),
        input_audio_transcription=types.AudioTranscriptionConfig(),
        output_audio_transcription=types.AudioTranscriptionConfig(),
        session_resumption=types.SessionResumptionConfig(),
        context_window_compression=types.ContextWindowCompressionConfig(
            trigger_tokens=25_600, sliding_window=types.SlidingWindow(target_tokens=12_800)
        ),
    )


def our_setup():
    return gemini.Setup(model=MODEL, instruction=INSTRUCTION, tools=(TRACK,), vad_silence_ms=300)


@asynccontextmanager
async def vendor(folder, seen):
    """Yield a session of the vendor's client with our server, over TLS."""
    for_server, for_client = certificate(folder)
    voice = scripted_voice(SCENARIO)
    async with LiveServer(voice=voice, ssl=for_server, keys={"planted-key"}, witness=seen.append) as live:
        client = genai.Client(
            api_key="planted-key",
            http_options=types.HttpOptions(
                base_url=live.url.replace("wss", "https"),
                api_version="v1beta",
                async_client_args={"ssl": for_client, "proxy": None},
            ),
        )
        try:
            async with client.aio.live.connect(model=MODEL, config=configuration()) as session:
                yield session
        finally:
            await client.aio.aclose()
            client.close()


async def say(session, text):
    """Say `text` to the vendor's client, with enough silence behind it to end the turn."""
    line = encode(text, 16_000) + bytes(16_000)
    for start in range(0, len(line), 1_280):
        piece = types.Blob(data=line[start : start + 1_280], mime_type="audio/pcm;rate=16000")
        await session.send_realtime_input(audio=piece)


async def turn(session):
    """Return the messages of one turn."""
    async with asyncio.timeout(20):
        return [message async for message in session.receive()]


def contents(messages):
    return [message.server_content for message in messages if message.server_content]


def spoken(messages):
    turns = [content.model_turn for content in contents(messages) if content.model_turn]
    pcm = b"".join(part.inline_data.data for one in turns for part in one.parts)
    return decode(pcm, 24_000)


def transcribed(messages, kind):
    pieces = [getattr(content, kind) for content in contents(messages)]
    return "".join(piece.text for piece in pieces if piece)


def frames(seen: list[Seen], *, from_client: bool) -> list[Any]:
    return [json.loads(one.frame) for one in seen if one.from_client is from_client]


@pytest.mark.slow
@pytest.mark.asyncio
async def test_the_vendors_client_holds_a_whole_conversation_with_our_server(tmp_path):
    seen: list[Seen] = []

    async with vendor(tmp_path, seen) as session:
        await session.send_realtime_input(text="Greet the caller.")
        greeting = await turn(session)
        await say(session, "where is my parcel KE123")
        asking = await turn(session)
        (call,) = [
            call for message in asking if message.tool_call for call in message.tool_call.function_calls
        ]
        answer = types.FunctionResponse(id=call.id, name=call.name, response={"message": STATUS})
        await session.send_tool_response(function_responses=[answer])
        telling = []
        async for message in session.receive():
            telling.append(message)
            if message.server_content and len(contents(telling)) == 6:
                await say(session, "thank you")  # once: what comes next is that it was heard to begin
        parting = await turn(session)

    assert spoken(greeting) == transcribed(greeting, "output_transcription") == GREETING
    assert greeting[-1].server_content.turn_complete
    assert greeting[-1].usage_metadata.total_token_count > 0
    assert [content.generation_complete for content in contents(greeting)][-2]
    assert any(message.session_resumption_update for message in greeting)
    assert transcribed(asking, "input_transcription") == "where is my parcel KE123"
    assert (call.name, call.args) == ("track_shipment", {"tracking_id": "KE123"})
    assert [
        message.voice_activity.voice_activity_type.name for message in asking if message.voice_activity
    ] == ["ACTIVITY_START", "ACTIVITY_END"]
    assert any(content.interrupted for content in contents(telling))
    assert not any(content.generation_complete for content in contents(telling))
    assert STATUS.startswith(transcribed(telling, "output_transcription"))
    assert spoken(parting) == FAREWELL
    for message in frames(seen, from_client=False):
        read_by_vendor(message)


@pytest.mark.slow
@pytest.mark.asyncio
async def test_the_vendors_client_is_told_with_which_words_our_server_hung_up(tmp_path):
    async with vendor(tmp_path, []) as session:
        await say(session, "die")

        with pytest.raises(errors.APIError) as hung_up:
            await turn(session)

    assert hung_up.value.code == 1011
    assert strictness.INTERNAL in str(hung_up.value)


@pytest.mark.slow
@pytest.mark.asyncio
async def test_our_setup_is_the_one_that_the_vendors_client_sends(tmp_path):
    seen: list[Seen] = []

    async with vendor(tmp_path, seen):
        pass

    theirs = spelled(frames(seen, from_client=True)[0])
    ours = json.loads(gemini.setup(our_setup()))
    theirs["setup"]["systemInstruction"].pop("role", None)  # theirs says `user`, which the text need not
    assert ours == theirs


# Our bridge and our server


class Call:
    """A call that our bridge carries between a fake telephone and our server."""

    def __init__(self):
        self.telephone = FakeTelephone()
        self.journal = FakeJournal()
        self.seen: list[Seen] = []
        self.tools: list[gemini.ToolCall] = []

    async def carry(self, caller):
        """Carry the call until `caller`, which is given this, has ended."""

        async def run_tool(tool_call):
            self.tools.append(tool_call)
            return Outcome({"status": "ok", "message": STATUS}, "ok", tool_call.name)

        async def hang_up():
            pass

        async def act():
            await caller(self)
            self.telephone.hang_up()

        voice = scripted_voice(SCENARIO)
        async with LiveServer(voice=voice, timing=Timing(setup_s=0.05), witness=self.seen.append) as live:
            endpoint = Endpoint(live_url(live.url, "v1beta"), "planted-key")
            ports = Ports(self.telephone, lambda: dial(endpoint), run_tool, hang_up, self.journal)
            brief = Brief(our_setup(), "Greet the caller.", "HD_1")
            now_s = asyncio.get_running_loop().time()
            acting = asyncio.create_task(act())
            async with asyncio.timeout(40):
                await Bridge(Session(brief, Limits(), now_s), ports, Tuning()).carry()
                await acting

    async def say(self, text):
        """Say `text` as a caller does: 20 ms in 20 ms."""
        line = encode(text, 16_000)
        for start in range(0, len(line), 640):
            self.telephone.put(line[start : start + 640])
            await asyncio.sleep(0.02)

    async def until(self, holds):
        """Wait in silence until something is so."""
        while not holds():
            self.telephone.put(bytes(640))
            await asyncio.sleep(0.02)

    def heard(self):
        """Return what the caller heard."""
        return decode(self.telephone.audio, 16_000)

    def recorded(self, kind):
        return [record for record in self.journal.records if isinstance(record, kind)]


@pytest.mark.slow
@pytest.mark.asyncio
async def test_our_bridge_holds_a_whole_conversation_with_our_server():
    call = Call()

    async def caller(call):
        await call.until(lambda: call.heard() == GREETING)
        await call.say("where is my parcel KE123")
        await call.until(lambda: "Nairobi" in call.heard())
        await call.say("thank you")
        await call.until(lambda: call.heard().endswith(FAREWELL))

    await call.carry(caller)

    heard = call.heard()
    said = "".join(record.text for record in call.recorded(TurnRecord) if record.speaker == "caller")
    assert [tool.args for tool in call.tools] == [{"tracking_id": "KE123"}]
    assert heard.startswith(GREETING)
    assert "by car" not in heard
    assert sautikit.clear() in [frame for _, frame in call.telephone.got]
    assert "where is my parcel KE123" in said
    assert [record.state for record in call.recorded(ToolRecord)] == ["ok"]
    assert call.recorded(UsageSeen)
    for message in frames(call.seen, from_client=True):
        taken_by_vendor(message)
    for message in frames(call.seen, from_client=False):
        read_by_vendor(message)
