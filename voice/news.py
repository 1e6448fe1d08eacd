"""Put what happens in a call into messages for who watches it, as the desk's page reads them. Pure."""

from typing import Any

from shipments.phones import mask_numbers
from voice.records import News, Obeyed, Speaking, ToolBegun, ToolRecord, TurnRecord
from voice.spoken import codes_hidden

Message = dict[str, Any]
"""One thing that happened, as JSON: `kind` says what; a later message of the same `key` takes its place."""

BEGUN, CHANGED, ENDED = "begun", "changed", "ended"
"""What happens to a call as a whole: it runs, its row says something else now, it is over."""


ANEW = frozenset({"said", "speaking"})
"""What who comes late needs to be told again: it is in no database yet, or never is."""


def message(news: News) -> Message:
    """Return the message of something that happened inside a call."""
    match news:
        case TurnRecord():
            return {
                "kind": "said",
                "key": f"said {news.position}",
                "place": news.position,
                "by": news.speaker,
                "text": shown(news.speaker, news.text),
                "at_ms": news.started_ms,
                "cut": news.interrupted,
            }
        case ToolBegun():
            return _tool(news.model_call_id, news.name, news.started_ms) | {"state": "running"}
        case ToolRecord():
            return _tool(news.model_call_id, news.name, news.started_ms) | {
                "state": news.state,
                "took_ms": news.duration_ms,
                "answer": _clean(str(news.result.get("message", ""))),
            }
        case Speaking(who):
            return {"kind": "speaking", "key": "speaking", "who": who}
        case Obeyed(order, at_ms):
            return {"kind": "obeyed", "key": f"obeyed {order} {at_ms}", "order": order, "at_ms": at_ms}


def shown(speaker: str, text: str) -> str:
    """Return what somebody said as it is shown: a caller may say a code before one is asked for."""
    return _clean(codes_hidden(text) if speaker == "caller" else text)


def _clean(text: str) -> str:
    """Return text without whole telephone numbers, and without what no message can hold."""
    return mask_numbers(text.encode("utf-8", "replace").decode())


def milestone(kind: str) -> Message:
    """Return the message of something that happened to a call as a whole."""
    return {"kind": kind, "key": kind}


def for_viewer(told: Message, *, heard: bool) -> Message | None:
    """Return what somebody sees of a message: no words, and of tools that they run, without `heard`."""
    if heard:
        return told
    match told["kind"]:
        case "said":
            return None
        case "tool":
            return {name: value for name, value in told.items() if name != "answer"}
        case _:
            return told


def _tool(call_id: str, name: str, at_ms: int) -> Message:
    return {"kind": "tool", "key": f"tool {call_id[:64]}", "name": name[:64], "at_ms": at_ms}
