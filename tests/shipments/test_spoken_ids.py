"""Over 200 spoken ids, each against all parcels of its caller: found, asked back, or not to be found."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipments.spelling import ends_as, readings, sounds_like
from shipments.telling import Foreign, NotFound, Own, Several, find
from tests.shipments.builders import AMINA, BRIAN, a_parcel

ASK, NONE = "?", "-"


def corpus() -> Iterator[tuple[tuple[str, ...], list[tuple[str, str]]]]:
    """Yield each caller's parcels, with what he said and what it is to be taken for."""
    parcels: tuple[str, ...] = ()
    said: list[tuple[str, str]] = []
    text = Path(__file__).with_name("spoken_ids.txt").read_text()
    for line in filter(None, (line.partition("#")[0].strip() for line in text.splitlines())):
        if line.startswith("parcels:"):
            if parcels:
                yield parcels, said
            parcels, said = tuple(line.split()[1:]), []
        else:
            spoken, _, meant = line.partition("=>")
            said.append((spoken.strip(), meant.strip()))
    yield parcels, said


CORPUS = list(corpus())


def taken_for(said: str) -> str:
    """Return what a spoken id is taken for, as the corpus writes it."""
    match find(AMINA, said):
        case Own(shipment):
            return shipment.tracking_id
        case Several():
            return ASK
        case Foreign() | NotFound():
            return NONE


def test_the_corpus_is_large_and_says_nothing_twice():
    spoken = [(parcels, said) for parcels, forms in CORPUS for said, _ in forms]

    assert len(spoken) == len(set(spoken)) >= 200
    assert {meant for _, forms in CORPUS for _, meant in forms} >= {ASK, NONE}


@pytest.mark.django_db
@pytest.mark.parametrize(("parcels", "forms"), CORPUS, ids=[" ".join(parcels) for parcels, _ in CORPUS])
def test_a_spoken_id_finds_the_callers_parcel_and_a_doubtful_one_a_question(parcels, forms):
    for tracking_id in parcels:
        a_parcel(tracking_id=tracking_id, phone=AMINA)

    wrong = {said: taken for said, meant in forms if (taken := taken_for(said)) != meant}

    assert wrong == {}


@pytest.mark.slow
@pytest.mark.django_db
def test_no_form_of_any_spoken_id_finds_a_parcel_of_somebody_else(settings):
    settings.COARSE_FOREIGN_IDS = False
    for parcels, _ in CORPUS:
        for tracking_id in parcels:
            a_parcel(tracking_id=tracking_id, phone=BRIAN)

    assert {taken_for(said) for _, forms in CORPUS for said, _ in forms} == {NONE}


KEYS = st.text("ABDEGMNPV890123", min_size=4, max_size=9)


@given(st.lists(KEYS, min_size=2, max_size=6, unique=True), st.data())
def test_what_sounds_like_one_id_of_several_is_never_taken_for_an_id_that_does_not(keys, data):
    said = " ".join(data.draw(st.sampled_from(keys)))

    for key in keys:
        if sounds_like(said, key):
            assert any(len(reading) == len(key) for reading in readings(said))
        if ends_as(said, key):
            assert any(key.endswith(reading) for reading in readings(said))
