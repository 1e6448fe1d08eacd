"""The table of cases in README.md is complete, and names tests that exist."""

import re
from pathlib import Path

from tests.benchmarks.promises import MEASURES

TESTS = Path(__file__).parent
CASES = (
    {f"W{number}" for number in range(1, 13)}
    | {f"S{number}" for number in range(1, 23)}
    | {f"G{number}" for number in range(1, 14)}
    | {f"I{number}" for number in range(1, 11)}
    | {f"O{number}" for number in range(1, 16)}
    | {f"A{number}" for number in range(1, 18)}
    | {f"P{number}" for number in range(1, 21)}
    | {"D1", "D3", "D4", "D5"}
)
_PROMISE = re.compile(r"^\| [^|]+ \| `(\w+)` \| `(\w+)` \| [^|]+ \|$", re.MULTILINE)
_ROW = re.compile(r"^\| ([A-Z]\d+) \| [^|]+ \| ([^|]+) \| [^|]* \|$", re.MULTILINE)
_TEST = re.compile(r"^(?:async def |def |class )?([tT]est\w+)", re.MULTILINE)


def listed() -> dict[str, list[str]]:
    """Return the tests that the table names for each case."""
    rows = _ROW.findall((TESTS / "README.md").read_text())
    return {case: re.findall(r"`(\w+)`", tests) for case, tests in rows}


def written() -> set[str]:
    """Return the names of all tests that there are."""
    sources = (path.read_text() for path in TESTS.rglob("test_*.py"))
    return {name for source in sources for name in _TEST.findall(source)}


def test_every_case_is_listed_with_a_test():
    table = listed()

    assert table.keys() >= CASES
    assert not [case for case, tests in table.items() if not tests]


def test_every_test_that_is_listed_exists():
    named = {test for tests in listed().values() for test in tests}

    assert not named - written()


def test_a_case_is_proved_by_a_test_that_bears_its_name():
    nameless = {
        case for case in CASES if not any(re.search(rf"_{case.lower()}_", test) for test in listed()[case])
    }

    assert not nameless


def test_every_promise_that_is_measured_is_listed_with_a_test():
    rows = _PROMISE.findall((TESTS / "README.md").read_text())

    assert {measure for _, measure in rows} == MEASURES.keys()
    assert not {test for test, _ in rows} - written()
