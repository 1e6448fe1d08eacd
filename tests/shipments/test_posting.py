"""What happens is told to who wants to know: signed, once, until it is taken, and into no network of ours."""

import hashlib
import hmac
import json
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import pairwise
from threading import Thread

import httpx
import pytest
from django.db import transaction
from django.urls import reverse

from shipments import outbox, posting, scans
from shipments.audit import AuditEntry
from shipments.errors import EndpointRefusedError
from shipments.intake import Sender
from shipments.moving import reschedule_for
from shipments.notices import Endpoint, Kind, Notice, NoticeState
from shipments.scans import Scan
from shipments.statuses import Source, Status
from tests.clients import System
from tests.shipments.builders import FRIDAY, NOW, a_depot, a_parcel, a_slot
from tests.test_roles import ROLES, logged_in

pytestmark = pytest.mark.django_db
COURIER = Sender("api courier", Source.CARRIER)
PUBLIC = "93.184.216.34"


def an_endpoint(kinds=tuple(Kind), name="crm", shipper="", url="https://crm.example.com/hook") -> Endpoint:
    client = System(name=name, shipper=shipper).row
    return outbox.add_endpoint(client=client, url=url, kinds=kinds, by="mary", now=NOW)[0]


def scanned(parcel=None, status=Status.OUT_FOR_DELIVERY, sender=COURIER):
    parcel = parcel or a_parcel()
    scans.report(shipment_id=parcel.pk, scan=Scan(status, NOW), sender=sender, now=NOW)
    return parcel


class Receiver:
    """Keeps what is posted to it, and answers with these statuses, the last of them for ever."""

    def __init__(self, *statuses: int) -> None:
        self.got: list[httpx.Request] = []
        self._statuses = list(statuses or (200,))

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.got.append(request)
        status = self._statuses.pop(0) if len(self._statuses) > 1 else self._statuses[0]
        if status == 0:
            raise httpx.ReadTimeout("late", request=request)
        return httpx.Response(status, headers={"Location": "https://elsewhere.example.com/"})

    def send(self, now=NOW, found=(PUBLIC,)) -> int:
        return posting.send_due(
            now, transport=httpx.MockTransport(self), resolve=lambda host, port: list(found)
        )


def test_what_happened_is_told_once_signed_and_with_its_time():
    endpoint, receiver = an_endpoint(), Receiver()
    parcel = scanned()

    receiver.send()
    receiver.send()

    [request] = receiver.got
    stamp, _, mac = request.headers["X-Courier-Signature"].partition(",v1=")
    signed = f"{stamp.removeprefix('t=')}.".encode() + request.content
    told = json.loads(request.content)
    assert mac == hmac.new(endpoint.secret.encode(), signed, hashlib.sha256).hexdigest()
    assert (told["kind"], told["about"]["tracking_id"], told["about"]["status"]) == (
        "parcel.updated",
        parcel.tracking_id,
        "out_for_delivery",
    )
    assert request.headers["X-Courier-Event"] == told["id"]
    assert parcel.phone not in request.content.decode()
    assert Notice.objects.get().state == NoticeState.DELIVERED


def test_a_wish_is_told_with_what_became_of_it():
    an_endpoint(kinds=[Kind.CHANGE])
    depot = a_depot()
    a_slot(depot)
    parcel = a_parcel(depot=depot)
    client = System().row

    change = reschedule_for(
        client, parcel, day=FRIDAY.isoformat(), window=None, request_id="1", version=None, now=NOW
    )

    told = json.loads(Notice.objects.get().body)["about"]
    assert (told["change"], told["wish"], told["state"]) == (change.ref, "reschedule", "applied")


def test_what_is_rolled_back_is_told_nobody():
    an_endpoint()
    parcel = a_parcel()

    with transaction.atomic():
        scanned(parcel)
        transaction.set_rollback(True)

    assert not Notice.objects.exists()


def test_only_who_wants_to_know_and_may_is_told():
    wants = an_endpoint(kinds=[Kind.PARCEL], name="crm", shipper="Example Books")
    an_endpoint(kinds=[Kind.CALL_ENDED], name="calls")
    an_endpoint(name="shoes", shipper="Sample Shoes")
    an_endpoint(name="courier")  # told us itself
    closed = an_endpoint(name="old")
    outbox.close_endpoint(endpoint_id=closed.pk, by="mary", reason="Moved", now=NOW)

    scanned(a_parcel(shipper="Example Books"))

    assert [notice.endpoint for notice in Notice.objects.all()] == [wants]


def test_what_is_not_taken_is_tried_again_ever_more_rarely_and_given_up_after_a_day():
    an_endpoint()
    receiver, now, tries = Receiver(500), NOW, []
    scanned()

    while (notice := Notice.objects.get()).state == NoticeState.WAITING:
        now = max(now, notice.next_at)
        receiver.send(now)
        tries.append(now - NOW)

    waits = [later - earlier for earlier, later in pairwise(tries)]
    assert waits == sorted(waits)
    assert len(tries) == 11
    assert timedelta(hours=20) < tries[-1] <= timedelta(hours=24)
    assert (notice.state, notice.answer) == (NoticeState.DEAD, "500")
    assert receiver.send(now + timedelta(days=1)) == 0


@pytest.mark.parametrize(
    ("status", "answer"), [(301, "301"), (302, "302"), (404, "404"), (0, "not delivered: ReadTimeout")]
)
def test_a_redirect_is_not_followed_and_no_answer_is_none(status, answer):
    an_endpoint()
    receiver = Receiver(status)
    scanned()

    receiver.send()

    notice = Notice.objects.get()
    assert [request.url.host for request in receiver.got] == [PUBLIC]
    assert (notice.state, notice.tries, notice.answer) == (NoticeState.WAITING, 1, answer)


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "240.0.0.1"),
        *("::1", "fc00::1", "fe80::1%eth0", "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::", "224.0.0.1"),
    ],
)
def test_nothing_is_posted_into_a_network_of_ours(address):
    an_endpoint()
    receiver = Receiver()
    scanned()

    receiver.send(found=(PUBLIC, address))

    assert receiver.got == []
    assert Notice.objects.get().answer == "not sent: the address is in a private network or nowhere"


def test_a_host_is_looked_up_once_and_connected_to_as_it_was_found():
    an_endpoint(url="https://crm.example.com:8443/hook?a=b")
    receiver = Receiver()
    scanned()

    receiver.send()

    [request] = receiver.got
    assert str(request.url) == f"https://{PUBLIC}:8443/hook?a=b"
    assert request.headers["Host"] == "crm.example.com:8443"
    assert request.extensions["sni_hostname"] == "crm.example.com"


def test_a_slow_system_holds_up_nobody_else():
    slow = an_endpoint(name="slow", url="https://slow.example.com/")
    an_endpoint(name="quick", url="https://quick.example.com/")
    for _ in range(3):
        scanned()
    hosts: list[str] = []

    def receive(request: httpx.Request) -> httpx.Response:
        hosts.append(request.headers["Host"])
        if request.headers["Host"] == "slow.example.com":
            raise httpx.ConnectTimeout("late", request=request)
        return httpx.Response(204)

    posting.send_due(NOW, transport=httpx.MockTransport(receive), resolve=lambda *_: [PUBLIC])

    assert sorted(hosts) == ["quick.example.com"] * 3 + ["slow.example.com"]
    assert slow.notices.filter(tries=0).count() == 2


def test_two_workers_send_a_notice_once():
    an_endpoint()
    scanned()
    [seen] = Notice.objects.due(NOW)

    taken = [outbox.take(seen, NOW, timedelta(minutes=2)) for _ in range(2)]

    assert taken == [True, False]


def test_what_was_given_up_is_sent_again_when_told_to():
    an_endpoint()
    scanned()
    Notice.objects.update(state=NoticeState.DEAD, tries=9)
    receiver, later = Receiver(), NOW + timedelta(days=3)
    desk = logged_in("Administrator")
    order = {"action": "send_again", "_selected_action": [Notice.objects.get().pk]}

    desk.post(reverse("admin:shipments_notice_changelist"), order)
    receiver.send(later + timedelta(days=9_999))

    assert len(receiver.got) == 1
    assert AuditEntry.objects.get(verb="send_again").actor == "administrator 0"


@pytest.mark.parametrize(
    "url",
    [
        *("http://crm.example.com/", "ftp://crm.example.com/", "https://me:word@crm.example.com/"),
        *("https://", "https://[::1", "file:///etc/passwd", "crm.example.com"),
    ],
)
def test_an_address_that_cannot_be_posted_to_is_refused(url):
    with pytest.raises(EndpointRefusedError):
        an_endpoint(url=url)


def test_the_secret_is_shown_once():
    client = System().row
    desk = logged_in("Administrator")
    form = {"client": client.pk, "url": "https://crm.example.com/hook", "kinds": ["call.ended"]}

    shown = desk.post(reverse("admin:shipments_endpoint_add"), form).content.decode()

    endpoint = Endpoint.objects.get()
    page = desk.get(reverse("admin:shipments_endpoint_change", args=[endpoint.pk])).content.decode()
    assert endpoint.secret in shown
    assert endpoint.secret not in page
    assert not AuditEntry.objects.filter(after__icontains=endpoint.secret).exists()


def test_only_administrators_keep_webhooks():
    endpoint = an_endpoint()
    reason = {"reason": "Moved", "_form_submitted": "True"}
    pages = [
        reverse("admin:shipments_endpoint_add"),
        reverse("admin:shipments_notice_changelist"),
    ]

    found = {role: [logged_in(role).get(page).status_code for page in pages] for role in ROLES}
    closed = [
        logged_in(role)
        .post(reverse("admin:shipments_endpoint_close", args=[endpoint.pk]), reason)
        .status_code
        for role in ROLES
    ]

    assert found == {"Dispatcher": [403, 403], "Supervisor": [403, 403], "Administrator": [200, 200]}
    assert closed == [403, 403, 204]


def test_what_is_over_for_a_month_is_deleted():
    an_endpoint()
    first, second = scanned(), scanned()
    Notice.objects.filter(body__contains=first.tracking_id).update(state=NoticeState.DELIVERED)

    assert outbox.purge(NOW + timedelta(days=29)) == 0
    assert outbox.purge(NOW + timedelta(days=31)) == 1
    assert second.tracking_id in Notice.objects.get().body


def test_a_system_on_this_machine_is_told_when_the_settings_allow_it(settings):
    settings.OUTBOX_PRIVATE = True
    got: list[bytes] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self):
            got.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Hook) as server:
        thread = Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        an_endpoint(url=f"http://127.0.0.1:{server.server_port}/hook")
        scanned()
        posting.send_due(NOW)
        server.shutdown()
        thread.join()

    assert [json.loads(body)["kind"] for body in got] == ["parcel.updated"]
    assert Notice.objects.get().state == NoticeState.DELIVERED
