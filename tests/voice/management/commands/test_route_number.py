"""`manage.py route_number` prints the two addresses of a number, and sets them at the platform."""

import asyncio
import json

import httpx
import pytest
from django.core.management import CommandError, call_command

from tests.line import CALLER, EVENTS, OWN_NUMBER, ROUTING
from tests.test_outbound_call import House, answers, in_house
from voice.clients.sautikit import SautikitClient
from voice.errors import RemoteError

VOICE, EVENT = "https://voice.example.com/voice/s", "https://voice.example.com/events/s"


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
@pytest.mark.slow
def test_a_platform_that_knew_no_address_rings_us_once_they_are_set(tmp_path, method):
    async def scenario(house: House) -> None:
        house.carrier.webhook_url = "http://127.0.0.1:9/nobody"

        said = await house.manage("route_number", "number-1", "--apply")
        record = await house.carrier.place_call(OWN_NUMBER, CALLER, answers())

        assert f"{house.line.http}/voice/{ROUTING}" in said
        assert f"{house.line.http}/events/{EVENTS}" in said
        assert (record.status, record.faults) == ("completed", ())
        assert {hook.kind for hook in record.hooks} == {"voice", "status", "events"}

    in_house(tmp_path, scenario, SAUTIKIT_ROUTING_METHOD=method)


def routed(answer, **kwargs):
    """Route a number at a platform that does `answer`; return the request."""
    requests = []

    def handle(request):
        requests.append(request)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def run():
        transport = httpx.MockTransport(handle)
        async with SautikitClient("https://carrier.example.com", "key", transport=transport) as platform:
            await platform.route("n/1", VOICE, **{"events_url": EVENT} | kwargs)

    asyncio.run(run())
    return requests[0]


def test_the_addresses_are_sent_for_the_number_that_was_named():
    request = routed(httpx.Response(200, json={}))

    assert (request.method, request.url.raw_path) == ("PATCH", b"/v1/numbers/n%2F1/routing")
    assert json.loads(request.content) == {"voice_callback_url": VOICE, "events_url": EVENT}


def test_without_an_events_address_the_platform_keeps_the_one_it_has():
    assert json.loads(routed(httpx.Response(200), events_url="").content) == {"voice_callback_url": VOICE}


@pytest.mark.parametrize("answer", [httpx.Response(404), httpx.Response(307), httpx.ReadTimeout("late")])
def test_what_was_not_set_for_certain_is_an_error(answer):
    with pytest.raises(RemoteError, match="routing"):
        routed(answer)


@pytest.mark.parametrize(
    ("name", "value", "options", "said"),
    [
        ("SAUTIKIT_ROUTING_SECRETS", [], {}, "Set SAUTIKIT_ROUTING_SECRETS"),
        ("SAUTIKIT_API_KEY", "", {"number_id": "n1", "apply": True}, "Set SAUTIKIT_API_KEY"),
        ("SAUTIKIT_API_KEY", "key", {"apply": True}, "Say which number"),
    ],
)
def test_what_is_missing_is_named_and_nothing_is_sent(settings, name, value, options, said):
    setattr(settings, name, value)

    with pytest.raises(CommandError, match=said):
        call_command("route_number", **options)


def test_the_newest_secret_is_the_one_that_is_printed(settings, capsys):
    settings.SAUTIKIT_ROUTING_SECRETS, settings.SAUTIKIT_EVENTS_SECRETS = ["new", "old"], []

    call_command("route_number")

    printed = capsys.readouterr().out
    assert f"calls   {settings.PUBLIC_URL}/voice/new\n" in printed
    assert "events  none" in printed
