"""Know which call the running task works for."""

from contextvars import ContextVar

call_id: ContextVar[str] = ContextVar("call_id", default="")
"""The public id of the call, or nothing; every log line carries it."""
