"""Why a parcel was not handed over is known in what is said of it, and not taken for another reason."""

import pytest

from shipments.statuses import Reason
from shipments.text import plain
from voice.reasons import WAYS, is_said

NEAR = {
    (Reason.CONSIGNEE_NOT_HOME, Reason.CONSIGNEE_NOT_AVAILABLE),
    (Reason.CONSIGNEE_NOT_AVAILABLE, Reason.CONSIGNEE_NOT_HOME),
}
"""Who was not at home was not available: "nobody there" is said of both."""
SAID = {
    Reason.CONSIGNEE_REFUSED: ("mpokeaji amekataa mzigo", "le destinataire a refusé le colis"),
    Reason.CONSIGNEE_BUSINESS_CLOSED: ("biashara ilikuwa imefungwa", "le commerce était fermé"),
    Reason.CONSIGNEE_NOT_AVAILABLE: ("mpokeaji hakupatikana", "le destinataire n'était pas disponible"),
    Reason.CONSIGNEE_NOT_HOME: ("mpokeaji hakuwa nyumbani", "le destinataire n'était pas à la maison"),
    Reason.CONSIGNEE_CANCELLED: ("mteja ameghairi", "le client a annulé"),
    Reason.CONSIGNEE_VERIFICATION_FAILED: (
        "mpokeaji hakuweza kuthibitishwa",
        "la vérification du destinataire a échoué",
    ),
    Reason.CONSIGNEE_INCORRECT_ADDRESS: ("anwani si sahihi", "l'adresse est incorrecte"),
    Reason.CONSIGNEE_ACCESS_RESTRICTED: ("dereva hakuweza kuingia", "l'accès est restreint"),
    Reason.CONSIGNEE_SAFE_PLACE_UNAVAILABLE: ("hakuna mahali salama", "il n'y a pas d'endroit sûr"),
    Reason.CARRIER_DAMAGED_PARCEL: ("mzigo umeharibika", "le colis est endommagé"),
    Reason.CARRIER_SORTING_ERROR: ("kosa la kupanga mizigo", "une erreur de tri"),
    Reason.CARRIER_ADDRESS_NOT_FOUND: ("anwani haikupatikana", "l'adresse n'a pas été trouvée"),
    Reason.CARRIER_PARCEL_LOST: ("mzigo umepotea", "le colis est perdu"),
    Reason.CARRIER_NOT_ENOUGH_TIME: ("muda haukutosha", "il n'y avait pas assez de temps"),
    Reason.CARRIER_VEHICLE_ISSUE: ("gari limeharibika", "un problème de véhicule"),
    Reason.CARRIER_CAPACITY_EXCEEDED: ("mizigo imepita uwezo wa gari", "la capacité est dépassée"),
    Reason.CARRIER_MECHANICAL_DELAY: ("ucheleweshaji wa kiufundi", "un retard mécanique"),
    Reason.RETAILER_CANCELLED: ("duka limeghairi", "annulé par le magasin"),
    Reason.RETAILER_INCORRECT_DATA: (
        "maelezo ya duka yamekosewa",
        "le magasin a donné de mauvaises informations",
    ),
    Reason.RETAILER_NOT_READY: ("mzigo haukuwa tayari dukani", "le colis n'était pas prêt au magasin"),
    Reason.RETAILER_INCORRECT_PARCEL: (
        "duka limetoa mzigo usio sahihi",
        "le magasin a donné le mauvais colis",
    ),
    Reason.RETAILER_INCORRECT_DIMENSIONS: ("vipimo vya mzigo si sawa", "les dimensions sont fausses"),
    Reason.RETAILER_PACKAGING_ISSUE: ("tatizo la ufungashaji", "un problème d'emballage"),
    Reason.CUSTOMS_DELAY: ("forodha imechelewesha mzigo", "un retard à la douane"),
    Reason.CUSTOMS_DOCUMENTATION: ("nyaraka za forodha hazipo", "il manque des documents de douane"),
    Reason.CUSTOMS_DUTIES_UNPAID: ("ushuru haujalipwa", "les droits de douane n'ont pas été payés"),
    Reason.CUSTOMS_PROHIBITED: ("umekatazwa na forodha", "c'est interdit par la douane"),
    Reason.CUSTOMS_INSPECTION: ("ukaguzi wa forodha", "une inspection de la douane"),
    Reason.WEATHER_DELAY: ("hali ya hewa ni mbaya", "à cause de la météo"),
    Reason.NATURAL_DISASTER: ("kumetokea maafa", "une catastrophe naturelle"),
    Reason.FORCE_MAJEURE: ("ni sababu isiyoepukika", "un cas de force majeure"),
    Reason.PARCEL_BEING_RESEARCHED: ("mzigo unatafutwa", "le colis est recherché"),
    Reason.SECURITY_ISSUE: ("sababu za usalama", "une raison de sécurité"),
    Reason.REGULATORY_HOLD: ("umezuiliwa na mamlaka", "il est retenu par une autorité"),
    Reason.UNKNOWN: ("sababu haijulikani", "la raison est inconnue"),
}


def reasons_in(said: str) -> set[Reason]:
    return {reason for reason in Reason if is_said(reason, plain(said))}


def alone(reason: Reason) -> set[Reason]:
    """Return a reason, with those that may be meant by the same words."""
    return {reason} | {other for one, other in NEAR if one is reason}


@pytest.mark.parametrize("reason", Reason)
def test_a_reason_read_as_the_tool_says_it_is_that_one_and_no_other(reason):
    said = f"I will note that stop 1 was not handed over: {reason.label.lower()}. Is that right?"

    assert reasons_in(said) == {reason}


@pytest.mark.parametrize("reason", Reason)
def test_a_reason_in_words_that_are_not_known_is_heard_once_the_messages_own_follow(reason):
    said = f"Kituo cha 1 hakikukabidhiwa: ni mambo mengine kabisa, {reason.label.lower()}. Ni sawa?"

    assert reasons_in(said) == {reason}


@pytest.mark.parametrize(
    ("reason", "said"), [(reason, said) for reason, pair in SAID.items() for said in pair]
)
def test_a_reason_is_known_in_swahili_and_in_french_and_taken_for_no_other(reason, said):
    assert reason in reasons_in(said) <= alone(reason)


@pytest.mark.parametrize(
    "said",
    [
        "Stop 1 was not handed over. Is that right?",
        "I will note stop 1. Please verify: is the address correct?",
        "It won't take long. Stop 1 was not handed over in time, is that right?",
        "Kituo cha kwanza hakikukabidhiwa. Je, unathibitisha? Ni sawa?",
        "L'arrêt 1 n'a pas été livré. Pouvez-vous vérifier ? C'est bien ça ?",
    ],
)
def test_a_sentence_that_gives_no_reason_has_none(said):
    assert reasons_in(said) == set()


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("nobody was home", Reason.CONSIGNEE_NOT_HOME),
        ("there was no one at home", Reason.CONSIGNEE_NOT_HOME),
        ("they weren't home", Reason.CONSIGNEE_NOT_HOME),
        ("nobody answered the door", Reason.CONSIGNEE_NOT_HOME),
        ("hakukuwa na mtu nyumbani", Reason.CONSIGNEE_NOT_HOME),
        ("il n'y avait personne", Reason.CONSIGNEE_NOT_HOME),
        ("personne n'a répondu", Reason.CONSIGNEE_NOT_HOME),
        ("le destinataire était absent", Reason.CONSIGNEE_NOT_HOME),
        ("the customer couldn\u2019t be reached", Reason.CONSIGNEE_NOT_AVAILABLE),
        ("the recipient didn't want it", Reason.CONSIGNEE_REFUSED),
        ("she refuses to take it", Reason.CONSIGNEE_REFUSED),
        ("mpokeaji alikataa", Reason.CONSIGNEE_REFUSED),
        ("il n'a pas voulu du colis", Reason.CONSIGNEE_REFUSED),
        ("the shop was shut", Reason.CONSIGNEE_BUSINESS_CLOSED),
        ("duka limefungwa", Reason.CONSIGNEE_BUSINESS_CLOSED),
        ("it's the wrong address", Reason.CONSIGNEE_INCORRECT_ADDRESS),
        ("anwani imekosewa", Reason.CONSIGNEE_INCORRECT_ADDRESS),
        ("c'est une mauvaise adresse", Reason.CONSIGNEE_INCORRECT_ADDRESS),
        ("you couldn't find the address", Reason.CARRIER_ADDRESS_NOT_FOUND),
        ("hakuweza kupata anwani", Reason.CARRIER_ADDRESS_NOT_FOUND),
        ("l'adresse est introuvable", Reason.CARRIER_ADDRESS_NOT_FOUND),
        ("they would not let you in", Reason.CONSIGNEE_ACCESS_RESTRICTED),
        ("you had no access to the building", Reason.CONSIGNEE_ACCESS_RESTRICTED),
        ("hauruhusiwi kuingia", Reason.CONSIGNEE_ACCESS_RESTRICTED),
        ("you ran out of time", Reason.CARRIER_NOT_ENOUGH_TIME),
        ("the van broke down", Reason.CARRIER_VEHICLE_ISSUE),
        ("the parcel is broken", Reason.CARRIER_DAMAGED_PARCEL),
        ("it was cancelled by the customer", Reason.CONSIGNEE_CANCELLED),
        ("hakukuwepo na mtu nyumbani", Reason.CONSIGNEE_NOT_HOME),
        ("hakuna aliyekuwa nyumbani", Reason.CONSIGNEE_NOT_HOME),
        ("personne n'était à la maison", Reason.CONSIGNEE_NOT_HOME),
        ("personne n'est venu ouvrir", Reason.CONSIGNEE_NOT_HOME),
        ("no one was available", Reason.CONSIGNEE_NOT_AVAILABLE),
        ("mpokeaji hakukubali kupokea", Reason.CONSIGNEE_REFUSED),
        ("uthibitishaji wa mpokeaji umeshindwa", Reason.CONSIGNEE_VERIFICATION_FAILED),
        ("anwani si sawa", Reason.CONSIGNEE_INCORRECT_ADDRESS),
        ("l'adresse n'est pas correcte", Reason.CONSIGNEE_INCORRECT_ADDRESS),
        ("upatikanaji umezuiliwa", Reason.CONSIGNEE_ACCESS_RESTRICTED),
        ("you couldn't get into the building", Reason.CONSIGNEE_ACCESS_RESTRICTED),
        ("hakuna eneo salama", Reason.CONSIGNEE_SAFE_PLACE_UNAVAILABLE),
        ("impossible de trouver l'adresse", Reason.CARRIER_ADDRESS_NOT_FOUND),
        ("you were unable to find the address", Reason.CARRIER_ADDRESS_NOT_FOUND),
        ("matatizo ya gari", Reason.CARRIER_VEHICLE_ISSUE),
        ("un souci avec le véhicule", Reason.CARRIER_VEHICLE_ISSUE),
        ("zaidi ya uwezo", Reason.CARRIER_CAPACITY_EXCEEDED),
        ("en surcapacité", Reason.CARRIER_CAPACITY_EXCEEDED),
        ("ucheleweshaji wa kimekanika", Reason.CARRIER_MECHANICAL_DELAY),
        ("imesitishwa na duka", Reason.RETAILER_CANCELLED),
        ("détails incorrects du magasin", Reason.RETAILER_INCORRECT_DATA),
        ("haijawa tayari dukani", Reason.RETAILER_NOT_READY),
        ("un colis incorrect du magasin", Reason.RETAILER_INCORRECT_PARCEL),
        ("imezuiliwa na forodha", Reason.CUSTOMS_PROHIBITED),
        ("les conditions météorologiques", Reason.WEATHER_DELAY),
        ("majanga ya kiasili", Reason.NATURAL_DISASTER),
    ],
)
def test_a_reason_is_known_in_a_models_own_words(said, reason):
    assert reason in reasons_in(said) <= alone(reason)


@pytest.mark.parametrize(
    "said",
    ["stop 1 was not handed over, recipient refused at home", "refused. Not handed over. Home is close"],
)
def test_words_that_belong_to_different_parts_of_a_sentence_are_no_reason(said):
    assert reasons_in(said) == {Reason.CONSIGNEE_REFUSED}


def test_each_reason_has_its_words_in_each_language():
    assert WAYS.keys() == SAID.keys() == set(Reason)
    assert all(way.strip() for ways in WAYS.values() for way in ways)
