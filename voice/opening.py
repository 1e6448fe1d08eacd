"""Open a call: turn its facts and the settings into what a session and a bridge start with."""

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

from django.conf import settings
from django.db import Error as DatabaseDownError

from voice import callbacks, clips, notes, tools, trust
from voice.calls import CallFacts
from voice.clients import gemini as gemini_client
from voice.errors import ToolError
from voice.hanging_up import hang_up
from voice.orm import run_db
from voice.ports import OUT_OF_REACH, Journal, NoTransfer, Outcome, Ports, Telephone, Transfer
from voice.prompts import greeting_nudge, question, system_instruction
from voice.proof import NumberProof
from voice.scene import Brief
from voice.spool import SPOOL
from voice.statuses import CallbackReason, Direction
from voice.toolkit import answer, said
from voice.wire import gemini

logger = logging.getLogger(__name__)

NO_TRANSFER = NoTransfer()


def brief(facts: CallFacts) -> Brief:
    """Return what the model is told before this call begins."""
    instruction = system_instruction(
        courier=settings.COURIER_NAME,
        language=facts.language,
        direction=facts.direction,
        purpose=facts.purpose,
        parcels=facts.parcels,
    )
    setup = gemini.Setup(
        model=settings.GEMINI_MODEL,
        instruction=instruction,
        tools=(*tools.declarations(), notes.END_CALL),
        voice=settings.GEMINI_VOICE,
        vad_start=settings.GEMINI_VAD_START,
        vad_end=settings.GEMINI_VAD_END,
        vad_prefix_ms=settings.GEMINI_VAD_PREFIX_MS,
        vad_silence_ms=settings.GEMINI_VAD_SILENCE_MS,
        compress_trigger_tokens=settings.GEMINI_COMPRESS_TRIGGER_TOKENS,
        compress_target_tokens=settings.GEMINI_COMPRESS_TARGET_TOKENS,
    )
    recordings = clips.load(facts.language, settings.CLIPS_PATH)
    return Brief(
        setup,
        greeting_nudge(facts.language),
        facts.session_id,
        business_key=tools.business_key,
        changing=frozenset(name for name, tool in tools.TOOLS.items() if tool.changes),
        clips={name: clip.words for name, clip in recordings.items()},
        proposing=frozenset(name for name, tool in tools.TOOLS.items() if tool.step == "prepare"),
        confirming=frozenset(name for name, tool in tools.TOOLS.items() if tool.step == "confirm"),
        private=frozenset(name for name, tool in tools.TOOLS.items() if tool.private),
        guarded=facts.guarded,
        pending_audio=settings.GEMINI_PENDING_AUDIO,
        question=question(facts.language) if facts.direction == Direction.OUTBOUND else "",
    )


def ports(
    facts: CallFacts,
    telephone: Telephone,
    journal: Journal,
    proof: NumberProof,
    transfer: Transfer = NO_TRANSFER,
) -> Ports:
    """Return what this call reaches the world through."""
    endpoint = gemini_client.Endpoint(
        url=gemini_client.live_url(settings.GEMINI_LIVE_URL, settings.GEMINI_API_VERSION),
        key=settings.GEMINI_API_KEY,
        open_s=settings.GEMINI_OPEN_S,
        ping_s=settings.GEMINI_PING_S,
        silent_s=settings.GEMINI_SILENT_S,
        quick_s=settings.GEMINI_PING_QUICK_S,
        quick_pings=settings.GEMINI_PINGS_QUICK,
    )
    runner = _ToolRunner(facts, proof, transfer)
    recordings = clips.load(facts.language, settings.CLIPS_PATH)
    return Ports(
        telephone=telephone,
        dial=lambda: gemini_client.dial(endpoint),
        run_tool=runner.run,
        withdraw=runner.withdraw,
        hang_up=partial(hang_up, facts),
        journal=journal,
        ask_callback=partial(_ask_callback, facts),
        clips={name: clip.pcm for name, clip in recordings.items()},
    )


class _ToolRunner:
    """Runs the tools of one call.

    Who is calling comes from the call's row and from nowhere else: no tool has an argument for it.
    """

    def __init__(self, facts: CallFacts, proof: NumberProof, transfer: Transfer) -> None:
        self._facts = facts
        self._transfer = transfer
        self._proof = proof
        self._withdrawn: set[str] = set()

    def withdraw(self, call_id: str) -> None:
        """Keep a call from beginning; what has begun is finished."""
        self._withdrawn.add(call_id)

    async def run(self, call: gemini.ToolCall) -> Outcome:
        """Run a tool on the pool of database threads; a call-back is promised without a database too."""
        key = tools.business_key(call.name, call.args)
        wants_callback = call.name == _CALLBACK
        try:
            if wants_callback and await self._transfer.connect(self._facts.session_id):
                return Outcome(_CONNECTED, "ok", key)
            if not wants_callback:  # which needs no proof
                await self._proof.settled()
            async with asyncio.timeout(settings.CALLBACK_WRITE_S if wants_callback else None):
                told = await run_db(self._run, call, key)
        except (DatabaseDownError, TimeoutError):
            logger.warning("a tool found no database", extra={"tool": call.name[:64]})
            if not wants_callback:
                return Outcome(OUT_OF_REACH, "failed", key)
            told = self._promise_callback(call)
        except Exception:  # the top of a tool: its fault is answered, and the call goes on
            logger.exception("a tool failed", extra={"tool": call.name[:64]})
            return Outcome(OUT_OF_REACH, "failed", key)
        return Outcome(told, _STATES.get(str(told["status"]), "refused"), key)

    def _run(self, call: gemini.ToolCall, key: str) -> dict[str, object]:
        if call.id in self._withdrawn:  # looked at as late as can be: here it begins
            return {"status": "refused", "retryable": True, "message": "", "data": {"code": "withdrawn"}}
        return tools.run(call.name, call.args, trust.caller_of(self._facts.call_id), key)

    def _promise_callback(self, call: gemini.ToolCall) -> dict[str, object]:
        try:
            summary = tools.TOOLS[_CALLBACK].checked(call.args).get("summary", "")
        except ToolError:  # who asks for a person is not asked again for the words
            summary = ""
        told = _keep_callback(self._facts, CallbackReason.ASKED, summary)
        return said("ok" if told["status"] == "ok" else "refused", told)


_CALLBACK = "request_callback"
_CONNECTED = answer("ok", "A colleague is on the line now.", {"code": "transferred"})
_STATES = {"ok": "ok", "error": "failed"}


async def _ask_callback(facts: CallFacts, reason: str, summary: str) -> bool:
    """Have it written, now or later, that the caller is to be rung back; tell whether that will be done."""
    try:
        async with asyncio.timeout(settings.CALLBACK_WRITE_S):
            told = await run_db(_callback(facts, reason, summary))
    except (DatabaseDownError, TimeoutError):
        told = _keep_callback(facts, reason, summary)
    return told["status"] == "ok"


def _keep_callback(facts: CallFacts, reason: str, summary: str) -> dict[str, object]:
    """Keep a request for a call-back until the database takes it; return what may be said of it."""
    logger.warning("a call-back waits: the database did not take it")
    SPOOL.add(_callback(facts, reason, summary))
    return callbacks.promise(facts.customer_number, datetime.now(UTC))


def _callback(facts: CallFacts, reason: str, summary: str) -> Callable[[], dict[str, object]]:
    return partial(
        callbacks.request,
        call_public_id=facts.public_id,
        number=facts.customer_number,
        reason=reason,
        summary=summary,
        now=datetime.now(UTC),
    )
