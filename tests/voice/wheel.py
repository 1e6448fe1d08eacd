"""Put a driver at the wheel: his round, his call, and what he has the model do."""

from datetime import timedelta

from django.utils import timezone

from shipments.models import Shipment, TrackingEvent
from shipments.riders import Driver, Stop
from shipments.statuses import Source, Status
from tests.shipments.builders import a_parcel, an_address
from voice import tools, trust
from voice.levels import Level, Proof
from voice.models import Call

RIDER, OTHER = "+254700000090", "+254700000091"
PIN, CODE = "9081", "4711"
DRIVERS_TOOLS = [name for name, tool in tools.TOOLS.items() if tool.level is Level.DRIVER]
ARGS = {"stop": "1", "reason": "not_home", "minutes": "20", "change_id": "7K3MQ9TX"}
REPORTS = [("report_attempt", {"stop": "1", "reason": "not home"}), ("running_late", {"minutes": "20"})]


def a_driver(phone=RIDER, **fields) -> Driver:
    driver = Driver(name="Sample Rider", phone=phone, **{"on_shift": True} | fields)
    driver.set_shift_pin(PIN)
    driver.save()
    return driver


def a_stop(driver, position=1, **fields) -> Stop:
    parcel = a_parcel(
        **{
            "status": Status.OUT_FOR_DELIVERY,
            "eta_at": timezone.now() + timedelta(minutes=30 * position),
            "address": an_address(access_code=CODE, gate_notes="ring twice"),
        }
        | fields
    )
    today = timezone.now().astimezone(parcel.zone).date()
    return Stop.objects.create(driver=driver, shipment=parcel, date=today, position=position)


def a_call(number=RIDER, proof=Proof.LOOKUP, **fields) -> Call:
    return Call.objects.create(customer_number=number, proof=proof, created_at=timezone.now(), **fields)


def run(call, name, **args) -> dict[str, object]:
    return tools.run(name, args, trust.caller_of(call.pk), tools.business_key(name, args))


def a_call_at_wheel() -> Call:
    call = a_call()
    assert run(call, "submit_pin", pin="nine zero eight one")["status"] == "ok"
    return call


def confirm(call, proposed) -> dict[str, object]:
    return run(call, "confirm_report", change_id=proposed["data"]["change_id"])


def is_untouched() -> bool:
    """Tell whether nothing of any parcel was changed, and nothing written of a round."""
    changed = Shipment.objects.filter(version__gt=1).exists()
    return not (changed or TrackingEvent.objects.filter(source=Source.RIDER).exists())


def code_of(answer):
    return answer["data"]["code"]


def needed(name) -> dict[str, str]:
    return {p.name: ARGS[p.name] for p in tools.TOOLS[name].parameters if p.required}
