"""Draw a day of parcels of people who do not exist, in four cities; the same seed draws the same day.

Who, what and where are fixed; the seed draws what is to be heard in a demonstration and cannot be known
beforehand: when a parcel on the road comes, and which windows are free.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import count
from random import Random
from zoneinfo import ZoneInfo

from shipments.statuses import Reason, Status, Substatus
from shipments.tracking import new_tracking_id

WINDOWS = ((time(9), time(12)), (time(12), time(15)), (time(15), time(18)))
CAPACITY = 8
SUNDAY = 6
STARTS, ENDS = time(7), time(21)
"""Between which hours riders are about, where they are: from before the first window until after the last."""
DAYS = 8
"""How many days ahead are planned, tomorrow first; nothing is driven on Sundays."""


@dataclass(frozen=True, slots=True)
class City:
    """A depot and where its people are; `dialling` begins their numbers, all plainly fictional."""

    name: str
    country: str
    time_zone: str
    dialling: str
    currency: str

    @property
    def depot(self) -> str:
        """The name of its depot."""
        return f"{self.name} Demo Depot"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who waits for a parcel, and where."""

    name: str
    line1: str
    building: str
    neighbourhood: str
    landmark: str
    directions: str
    gate_notes: str = ""
    access_code: str = ""


@dataclass(frozen=True, slots=True)
class DemoEvent:
    """Something in a parcel's past; `day` is set for the one that is news anew every day."""

    at: datetime
    status: Status
    substatus: str
    reason: str
    description: str
    day: date | None = None


@dataclass(frozen=True, slots=True)
class DemoParcel:
    """A parcel as the demonstration begins."""

    tracking_id: str
    phone: str
    person: Person
    city: City
    shipper: str
    status: Status
    substatus: str
    attempts: int
    changes_allowed: bool
    cod_minor: int
    eta_at: datetime | None
    promised: tuple[datetime, datetime] | None
    events: tuple[DemoEvent, ...]
    delivery_code: str


@dataclass(frozen=True, slots=True)
class DemoSlot:
    """A window of a depot and how many of its places are taken."""

    date: date
    window_start: time
    window_end: time
    booked: int


CITIES: dict[City, tuple[Person, ...]] = {
    City("Nairobi", "KE", "Africa/Nairobi", "+2547000000", "KES"): (
        Person(
            "Amina Otieno",
            "14 Example Lane",
            "Jacaranda Court",
            "Kilimani",
            "opposite Sunbird petrol station",
            "Blue gate after the second turning",
        ),
        Person(
            "Brian Kamau",
            "3 Sample Road",
            "Acacia House",
            "Westlands",
            "next to Kingfisher Pharmacy",
            "Third floor, ask at the reception",
        ),
        Person(
            "Wanjiru Njoroge",
            "",
            "Baobab Flats",
            "South B",
            "behind Morning Star Academy",
            "Green gate, house 12",
        ),
        Person(
            "Hassan Ali",
            "27 Specimen Street",
            "",
            "Eastleigh",
            "near Crescent Textile Arcade",
            "Shop on the corner",
        ),
        Person("Grace Achieng", "", "", "Kasarani", "opposite Seasons Bakery", "Follow the murram road"),
        Person("Peter Mwangi", "8 Model Close", "Ibis Villas", "Lavington", "beside Orchid Nursery", ""),
    ),
    City("Lagos", "NG", "Africa/Lagos", "+23480000000", "NGN"): (
        Person(
            "Chidi Okafor",
            "5 Example Crescent",
            "Palm View Apartments",
            "Yaba",
            "opposite Silverbird Bookshop",
            "Second house on the left",
        ),
        Person(
            "Funke Adeyemi",
            "19 Sample Street",
            "",
            "Surulere",
            "beside Golden Ladle Restaurant",
            "Black gate",
        ),
        Person("Tunde Balogun", "", "Coral Plaza", "Ikeja", "behind Lighthouse Cinema", "Suite 4"),
        Person("Ngozi Eze", "2 Specimen Avenue", "Heron House", "Lekki", "near Pelican Roundabout", ""),
    ),
    City("Accra", "GH", "Africa/Accra", "+2332000000", "GHS"): (
        Person(
            "Kwame Mensah",
            "11 Example Avenue",
            "Cocoa House",
            "Osu",
            "opposite Drumbeat Hall",
            "White building, first floor",
        ),
        Person("Abena Owusu", "", "", "Madina", "near Hibiscus Clinic", "Yellow kiosk at the junction"),
        Person("Kofi Asante", "6 Sample Link", "Volta Court", "East Legon", "behind Toucan Supermarket", ""),
        Person("Efua Boateng", "", "Anchor Flats", "Tema", "beside Harbour Lights Chapel", "Block C"),
    ),
    City("Kampala", "UG", "Africa/Kampala", "+2567000000", "UGX"): (
        Person(
            "Joseph Okello",
            "4 Example Close",
            "Crane Apartments",
            "Ntinda",
            "opposite Rolex Corner",
            "Brown gate, ring twice",
        ),
        Person("Sarah Nakato", "", "", "Bukoto", "near Matoke Garden", "Take the second lane"),
        Person("Moses Ssemwanga", "21 Sample Hill", "Pearl House", "Kololo", "behind Jasmine Hotel", ""),
        Person("Ruth Atim", "", "Mango Court", "Makindye", "beside Bright Hope School", "House 7"),
    ),
}

ROUNDS: dict[str, tuple[Person, ...]] = {
    # Who else is on the round of a city's driver today; behind gates, of which he is sent the codes.
    "Nairobi": (
        Person(
            "Mercy Wafula",
            "9 Example Drive",
            "Weaver Gardens",
            "Kileleshwa",
            "opposite Sample Stage",
            "Take the lane beside the stage, second gate on the right",
            "The bell is broken: use the keypad on the left post",
            "52071",
        ),
        Person(
            "John Kiprono",
            "",
            "Specimen Towers",
            "Upper Hill",
            "behind Heron Hospital",
            "Use the service entrance at the back",
            "Sign in with the guard and leave the motorcycle outside",
        ),
    ),
    "Lagos": (
        Person(
            "Bola Akinwale",
            "7 Sample Close",
            "Lagoon Court",
            "Ikoyi",
            "near Kingfisher Bridge",
            "Last gate before the water",
            "Keypad beside the small door",
            "8830",
        ),
    ),
    "Accra": (
        Person(
            "Esi Appiah",
            "",
            "Kente House",
            "Labone",
            "beside Sample Junction",
            "Brown gate after the junction",
            "Keypad under the lamp",
            "4496",
        ),
    ),
    "Kampala": (
        Person(
            "Peter Opio",
            "2 Specimen Rise",
            "",
            "Bugolobi",
            "opposite Crested Market",
            "Up the hill, third gate",
            "Keypad on the right post",
            "6158",
        ),
    ),
}
_NEXT_MIN = 30
"""In how many minutes the first stop of a round comes, before whatever else is on it."""
SHIFT_PIN = "3905"
"""What the drivers of the demonstration show themselves by."""
_ROUND_NUMBERS = 81
"""From where on the people of a round are numbered."""

_SHIPPERS = (
    "Example Books",
    "Sample Electronics",
    "Model Fashion",
    "Specimen Spares",
    "Placeholder Pharmacy",
)

_LIVES: tuple[tuple[Status, str], ...] = (
    # What becomes of the first, second … parcel of each city: what is asked for most comes first.
    (Status.OUT_FOR_DELIVERY, ""),
    (Status.IN_TRANSIT, ""),
    (Status.ATTEMPT_FAIL, Substatus.NOT_AVAILABLE),
    (Status.AVAILABLE_FOR_PICKUP, ""),
    (Status.DELIVERED, ""),
    (Status.EXCEPTION, Substatus.INCORRECT_ADDRESS),
    (Status.INFO_RECEIVED, ""),
)
_BEFORE: dict[Status, tuple[Status, ...]] = {
    Status.INFO_RECEIVED: (),
    Status.IN_TRANSIT: (Status.INFO_RECEIVED,),
    Status.OUT_FOR_DELIVERY: (Status.INFO_RECEIVED, Status.IN_TRANSIT),
    Status.EXCEPTION: (Status.INFO_RECEIVED, Status.IN_TRANSIT),
}
_DESCRIPTIONS: dict[Status, str] = {
    Status.INFO_RECEIVED: "Announced by the sender",
    Status.IN_TRANSIT: "Sorted at the depot",
    Status.OUT_FOR_DELIVERY: "With the rider",
    Status.ATTEMPT_FAIL: "Nobody was there",
    Status.AVAILABLE_FOR_PICKUP: "Ready at the counter",
    Status.DELIVERED: "Handed over",
    Status.EXCEPTION: "The address could not be found",
}


def parcels(seed: int, now: datetime) -> list[DemoParcel]:
    """Return the day's parcels; times hang on `now`, rounded down to ten minutes.

    Whenever that is, riders are about by day only: what is on the road at night comes in the morning.
    """
    now = now.replace(minute=now.minute // 10 * 10, second=0, microsecond=0)
    dice = _Dice(_random("parcels 1442"), _random(f"arrivals {seed}"), _random("codes 1442"))
    expected = [
        _parcel(city, person, people.index(person) + 1, _life(place, len(people)), dice, now)
        for city, people in CITIES.items()
        # One more parcel than people: the last of each city waits for two.
        for place, person in enumerate((*people, people[-1]))
    ]
    # With dice of their own, which leave the others as they fell.
    dice = _Dice(_random("rounds 1442"), _random(f"rounds {seed}"), _random("codes of rounds 1442"))
    road = (Status.OUT_FOR_DELIVERY, "")
    return expected + [
        _parcel(city, person, number, road, dice, now)
        for city in CITIES
        for number, person in enumerate(ROUNDS[city.name], start=_ROUND_NUMBERS)
    ]


def _random(seed: str) -> Random:
    return Random(seed)  # noqa: S311 - to be drawn again is the point


@dataclass(frozen=True, slots=True)
class _Dice:
    """What draws who and what, when it comes, and the delivery codes."""

    identity: Random
    arrivals: Random
    codes: Random


def _life(place: int, people: int) -> tuple[Status, str]:
    return (Status.INFO_RECEIVED, "") if place == people else _LIVES[place % len(_LIVES)]


def _parcel(
    city: City, person: Person, number: int, life: tuple[Status, str], dice: _Dice, now: datetime
) -> DemoParcel:
    status, substatus = life
    zone = ZoneInfo(city.time_zone)
    # A gate with a code is its driver's next stop: the code is sent for no other.
    eta_min = _NEXT_MIN if person.access_code else dice.arrivals.randrange(40, 171, 10)
    promised_on = now.astimezone(zone).date() + timedelta(days=1)
    promised_on += timedelta(days=promised_on.weekday() == SUNDAY)
    promised = tuple(datetime.combine(promised_on, at, zone) for at in WINDOWS[dice.arrivals.randrange(3)])
    return DemoParcel(
        tracking_id=new_tracking_id(dice.identity.choice),
        phone=f"{city.dialling}{number:02}",
        person=person,
        city=city,
        shipper=dice.identity.choice(_SHIPPERS),
        status=status,
        substatus=substatus,
        attempts=1 if status == Status.ATTEMPT_FAIL else 0,
        changes_allowed=True,
        cod_minor=dice.identity.choice((0, 0, 125_000, 89_900)),
        eta_at=_due(now.astimezone(zone), eta_min) if status == Status.OUT_FOR_DELIVERY else None,
        promised=(promised[0], promised[1]) if status == Status.IN_TRANSIT else None,
        events=tuple(_events(status, substatus, now.astimezone(zone))),
        delivery_code="".join(dice.codes.sample("1234567890", 4)),
    )


def _due(local: datetime, minutes: int) -> datetime:
    """Return when a parcel on the road comes: at night, as long after riders start again."""
    starts, ends = _hours(local)
    ahead = timedelta(minutes=minutes)
    due = max(local, starts) + ahead
    return due if due <= ends else starts + timedelta(days=1) + ahead


def _done(local: datetime, hours_ago: int) -> datetime:
    """Return when something was done, at the earliest as riders started; at night, as their day ended."""
    starts, ends = _hours(local)
    if local < starts:
        return ends - timedelta(days=1)
    return min(max(local - timedelta(hours=hours_ago), starts), ends)


def _hours(local: datetime) -> tuple[datetime, datetime]:
    day, zone = local.date(), local.tzinfo
    return datetime.combine(day, STARTS, zone), datetime.combine(day, ENDS, zone)


def _events(status: Status, substatus: str, local: datetime) -> Iterator[DemoEvent]:
    """Yield a parcel's past, the oldest first; its last event is today's, or last night's."""
    road = _BEFORE.get(status, (Status.INFO_RECEIVED, Status.IN_TRANSIT, Status.OUT_FOR_DELIVERY))
    for days_ago, earlier in zip(count(len(road), -1), road, strict=False):
        at = _done(local - timedelta(days=days_ago), 3)
        yield DemoEvent(at, earlier, "", "", _DESCRIPTIONS[earlier])
    reason = {
        Status.ATTEMPT_FAIL: Reason.CONSIGNEE_NOT_HOME.value,
        Status.EXCEPTION: Reason.CONSIGNEE_INCORRECT_ADDRESS.value,
    }.get(status, "")
    at = _done(local, 2)
    yield DemoEvent(at, status, substatus, reason, _DESCRIPTIONS[status], local.date())


def slots(seed: int, city: City, today: date) -> list[DemoSlot]:
    """Return a depot's windows from tomorrow on; a third is full, and every day has one that is free."""
    drawn = _random(f"slots {seed} {city.name}")
    planned = []
    for ahead in range(1, DAYS + 1):
        free = drawn.randrange(len(WINDOWS))
        for place, (start, end) in enumerate(WINDOWS):
            is_full = drawn.random() < 0.33 and place != free
            booked = CAPACITY if is_full else drawn.randrange(2, CAPACITY - 2)
            planned.append(DemoSlot(today + timedelta(days=ahead), start, end, booked))
    return [slot for slot in planned if slot.date.weekday() != SUNDAY]
