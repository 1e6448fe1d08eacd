"""The house stays as it was drawn: who may import whom, what the pure files keep away from, no rings."""

import ast
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
APPS = ("courier", "voice", "shipments")
PURE = (
    *(
        "voice.wire",
        "voice.audio",
        "voice.pacing",
        "voice.events",
        "voice.limits",
        "voice.session",
        "voice.transcript",
    ),
    *("voice.link", "voice.ledger", "voice.alarms", "voice.notes", "voice.measures", "voice.scene"),
    *(
        "voice.absence",
        "voice.asides",
        "voice.floor",
        "voice.errands",
        "voice.farewell",
        "voice.consent",
        "voice.secrecy",
        "voice.spoken",
        "voice.numerals",
        "voice.readback",
        "voice.reasons",
    ),
    *("voice.levels", "voice.call_timing"),
    *("voice.billing", "voice.dial_rules", "shipments.rules", "shipments.round_rules"),
)
WORLDLY = {
    *("asyncio", "socket", "selectors", "ssl", "threading", "concurrent", "subprocess", "time", "logging"),
    *("random", "secrets", "os", "pathlib", "django", "rest_framework", "channels", "httpx", "websockets"),
    *("uvicorn", "environ"),
}
"""What brings sockets, threads, clocks, chance, files, the ORM or the settings."""
CHOICES = {"shipments.statuses", "voice.statuses"}
"""Vocabularies, written as Django's choices; nothing of them reads a database."""
WRITES = ("voice.calls", "voice.archive", "voice.reports")
EDGES = ("voice.views", "voice.consumer", "voice.admin", "voice.urls", "voice.routing", "voice.apps")
TOPS = {"voice.views", "voice.consumer", "voice.periodic", "voice.opening", "courier.serve"}
"""Where a fault of any kind is caught (and in the loops of commands): a webhook, a call, a job, a tool."""


@cache
def modules() -> dict[str, ast.Module]:
    """Return every module of the three packages, parsed, by its dotted name."""
    found = {}
    for app in APPS:
        for path in sorted((ROOT / app).rglob("*.py")):
            if "migrations" not in path.parts:
                parts = path.relative_to(ROOT).with_suffix("").parts
                found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = ast.parse(
                    path.read_text()
                )
    return found


def imports(name: str, *, at_load_only: bool = False) -> set[str]:
    """Return what a module imports, as modules: `from voice import calls` is voice.calls."""
    tree = modules()[name]
    found: set[str] = set()
    for node in tree.body if at_load_only else ast.walk(tree):
        match node:
            case ast.Import(names):
                found |= {alias.name for alias in names}
            case ast.ImportFrom(module=str(module), names=names, level=0):
                below = {f"{module}.{alias.name}" for alias in names}
                found |= {one for one in below if one in modules()} or {module}
            case _:
                pass
    return found


def is_in(name: str, packages: tuple[str, ...] | set[str]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def wrong(importers: tuple[str, ...], forbidden: tuple[str, ...] | set[str]) -> list[str]:
    """Return each import of something forbidden by one of the importers."""
    return [
        f"{name} imports {one}"
        for name in modules()
        if is_in(name, importers)
        for one in sorted(imports(name))
        if is_in(one, forbidden)
    ]


def test_the_pure_files_are_there():
    assert all(any(is_in(name, (pure,)) for name in modules()) for pure in PURE)


def test_what_decides_keeps_away_from_sockets_clocks_and_the_database():
    faults, todo, seen = [], [name for name in modules() if is_in(name, PURE)], set[str]()
    while todo:  # with all that they import of ours
        name = todo.pop()
        if name in seen or name in CHOICES:
            continue
        seen.add(name)
        faults += [f"{name} imports {one}" for one in imports(name) if is_in(one, WORLDLY)]
        todo += [one for one in imports(name) if one in modules()]

    assert faults == []


def test_what_decides_does_not_ask_what_time_it_is():
    asked = [
        f"{name}:{node.lineno}"
        for name, tree in modules().items()
        if is_in(name, PURE)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in {"now", "utcnow", "today", "monotonic"}
    ]

    assert asked == []


def test_what_decides_awaits_nothing():
    awaiting = [
        f"{name}:{node.lineno}"
        for name, tree in modules().items()
        if is_in(name, PURE)
        for node in ast.walk(tree)
        if isinstance(node, ast.AsyncFunctionDef | ast.Await)
    ]

    assert awaiting == []


def test_the_domain_knows_no_telephone():
    assert wrong(("shipments",), ("voice", "courier")) == []


def test_the_apps_do_not_know_the_project():
    commands = {"voice.management"}

    found = [one for one in wrong(("voice",), ("courier",)) if not is_in(one.split()[0], commands)]

    assert found == []


def test_a_wire_is_below_everything():
    below = {name for name in modules() if is_in(name, ("voice", "shipments")) and name != "voice.errors"}

    assert (
        wrong(("voice.wire",), {name for name in below if not is_in(name, ("voice.wire",))} - {"voice"}) == []
    )


def test_clients_know_errors_and_wires_only():
    allowed = ("voice.errors", "voice.wire", "voice.clients")
    others = {
        name for name in modules() if is_in(name, APPS) and not is_in(name, allowed) and name != "voice"
    }

    assert wrong(("voice.clients",), others | {"django"}) == []


def test_the_session_knows_nobody_who_carries():
    carriers = ("voice.bridge", "voice.clients", *WRITES, "voice.models", "voice.tools", *EDGES)

    assert wrong(("voice.session",), carriers) == []


def test_the_bridge_knows_neither_framework_nor_database():
    strangers = ("django", "channels", "rest_framework", "shipments", "voice.models", *WRITES, *EDGES)

    assert wrong(("voice.bridge",), strangers) == []


def test_production_does_not_lean_on_the_sandbox():
    outside = tuple(name for name in modules() if not is_in(name, ("voice.sandbox", "voice.management")))

    found = [
        f"{name} imports {one}" for name in outside for one in imports(name) if is_in(one, ("voice.sandbox",))
    ]

    assert found == []


def test_no_modules_import_each_other_in_a_ring():
    graph = {name: imports(name, at_load_only=True) & modules().keys() for name in modules()}

    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(error.args[1][::-1]))


def test_any_fault_is_caught_at_the_tops_only():
    caught = {
        name
        for name, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or (isinstance(node.type, ast.Name) and node.type.id == "Exception"))
    }

    assert {
        name for name in caught if not is_in(name, TOPS | {"voice.management", "shipments.management"})
    } == set()


def test_names_say_what_a_module_is():
    vague = {"utils", "helpers", "manager", "handler", "data", "info", "common", "misc"}

    assert [name for name in modules() if name.rsplit(".", 1)[-1] in vague] == []


def test_what_is_made_once_a_file_is_made_by_one_worker():
    once, grouped = 'fixture(scope="module"', "xdist_group("
    texts = {path.name: path.read_text() for path in ROOT.glob("tests/**/test_*.py")}

    assert [name for name, text in texts.items() if once in text and grouped not in text] == []
