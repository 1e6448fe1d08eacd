"""The desk's other pages as a browser shows them: light and dark, at a desk and on a telephone."""

import pytest

from tests.browser import LOOKS, an_office, hidden_px, look_at, needs_chromium, picture
from tests.line import CALLER
from tests.test_outbound_call import PARCEL

pytestmark = [pytest.mark.slow, needs_chromium]

ROWS = """
from datetime import timedelta
from django.utils import timezone
from shipments import loading, outbox, tokens
from shipments.clients import Scope
from shipments.messages import OutgoingMessage
from shipments.models import Shipment
from shipments.notices import Kind, Notice
from shipments.riders import Driver, Stop
from voice import dialing
from voice.models import Call, ToolRun, Turn
now, parcel = timezone.now(), Shipment.objects.get(tracking_id="KM900000")
dialing.plan(parcel, "callback", by="mary", now=now, asked_at=now)
driver = Driver.objects.create(name="Sample Rider", phone="+254700000090", on_shift=True)
Stop.objects.create(driver=driver, shipment=parcel, date=timezone.localdate(), position=1)
OutgoingMessage.objects.create(
    idempotency_key="m", shipment=parcel, number=parcel.phone, kind="change",
    text="Savanna Express: your parcel ending KM900000 comes on Friday between 9 and 12.",
    next_at=now, created_at=now,
)
client, _ = tokens.make_client(name="warehouse", scopes=Scope.values, shipper="", by="mary", now=now)
endpoint, _ = outbox.add_endpoint(
    client=client, url="https://192.0.2.1/hook", kinds=Kind.values, by="mary", now=now
)
Notice.objects.create(
    endpoint=endpoint, event_id="e1", kind=Kind.CALL_ENDED, body='{"outcome": "status_given"}',
    next_at=now, give_up_at=now + timedelta(days=1), created_at=now,
)
row = "EX-%s,Amina Sample,0700 000 001,Example Books,Kilimani,Nairobi,KE\\n"
head = "tracking_id,recipient_name,phone,shipper,neighbourhood,city,country\\n"
content = head + "".join(row % number for number in range(1001, 1024))
loading.offer(name="parcels.csv", content=content.encode(), by="mary", now=now)
call = Call.objects.create(
    customer_number=parcel.phone, shipment=parcel, status="completed", outcome="status_given",
    created_at=now - timedelta(minutes=3), answered_at=now - timedelta(minutes=3), ended_at=now,
    timings={"answers_ms": [640, 2240], "waits_ms": [[8000, 8580, 8640], [64000, 66200, 66240]]},
)
said = (("agent", "Hello, how can I help you?"), ("caller", "Where is my parcel?"), ("agent", "On its way."))
for place, (speaker, text) in enumerate(said):
    Turn.objects.create(
        call=call, position=place, speaker=speaker, text=text,
        started_ms=place * 5000, ended_ms=place * 5000 + 3000,
    )
ToolRun.objects.create(
    call=call, model_call_id="1", name="track_shipment", state="ok", started_ms=64300, duration_ms=900
)
"""
PAGES = {
    "placed-calls": "/admin/voice/outboundcall/",
    "call": "/admin/voice/call/1/change/",
    "riders": "/admin/shipments/driver/",
    "rider": "/admin/shipments/driver/1/change/",
    "messages": "/admin/shipments/outgoingmessage/",
    "message": "/admin/shipments/outgoingmessage/1/change/",
    "files": "/admin/shipments/parcelfile/",
    "file": "/admin/shipments/parcelfile/1/change/",
    "webhooks": "/admin/shipments/endpoint/",
    "notices": "/admin/shipments/notice/",
    "notice": "/admin/shipments/notice/1/change/",
    "api-clients": "/admin/shipments/apiclient/",
    "api-client": "/admin/shipments/apiclient/1/change/",
}
ROOT = "from django.contrib.auth.models import User; User.objects.update(is_superuser=True)"
"""All pages are seen by one."""


def test_the_pages_fit_a_desk_and_a_telephone_in_light_and_dark(tmp_path):
    rows = "\n".join([PARCEL.format(phones=[CALLER], minutes=60), ROWS, ROOT])
    with an_office(tmp_path, rows=rows) as office, office.page() as page:
        hidden = {}

        for scheme, (first, then) in LOOKS:
            page.emulate_media(color_scheme=scheme)
            for name, address in PAGES.items():
                look_at(page, first)
                page.goto(address)
                for size in (first, then):
                    look_at(page, size)
                    picture(page, f"{name}-{size}-{scheme}")
                    if px := hidden_px(page):
                        hidden[name, size] = px

    assert hidden == {}
