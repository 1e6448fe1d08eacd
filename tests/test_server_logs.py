"""What a server prints of the requests that it gets, on both kinds of server."""

from collections.abc import Iterator

import httpx
import pytest

from tests.line import CALLER, Line, a_line

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("server-logs")]
DIGITS = CALLER.lstrip("+")


@pytest.fixture(scope="module", params=["serve", "daphne"])
def line(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    with a_line(tmp_path_factory.mktemp(request.param), request.param) as running:
        yield running


@pytest.mark.parametrize(
    ("path", "status"),
    [("/admin/voice/call/", 200), ("/api/v1/shipments", 401), ("/nothing/here", 404)],
    ids=["a search at the desk", "a question of a system", "an address that there is not"],
)
def test_what_is_asked_for_in_an_address_is_not_printed(line, path, status):
    answers = [
        httpx.get(line.http + path, params={"q": asked}, follow_redirects=True, trust_env=False, timeout=10)
        for asked in (DIGITS, CALLER, f"0{DIGITS[3:]}")
    ]

    assert {answer.status_code for answer in answers} == {status}
    assert DIGITS[3:] not in line.log()
