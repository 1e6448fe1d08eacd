"""Know in what the agent said why a parcel was not handed over: a few words a reason and language. Pure.

A model says a reason in its own words, so each has several ways of saying it, in English, Swahili and French.
"""

import re
from collections.abc import Mapping

from shipments.statuses import Reason

_SHOP = "shop/store/seller/sender/shipper/retailer/merchant"
_DUKA = "duka*/muuzaji/mtumaji"
_MAGASIN = "magasin/boutique/vendeur/expediteur/commercant"
_CUSTOMER = "recipient/customer/client/consignee/buyer"
_PLACE = "address/place/house/door/building/location"
_MAHALI = "anwani/anuani/mahali/nyumba/mlango"
_ENDROIT = "adresse/endroit/maison/porte/batiment"
_NOBODY_SW = "hakuna/hakukuwa/hapakuwa mtu | hakuwepo | hayupo | hayuko"
_NOBODY_FR = "absent* | avait/a personne | personne repond*/ouvert"
_VEHICLE = "vehicle/van/truck/car/lorry/bike/motorbike/motorcycle"
_GARI = "gari/pikipiki/lori"
_VEHICULE = "vehicule/camion*/voiture/moto"
_TROUBLE = "trouble/problem*/issue*/broke*/fail*"

WAYS: Mapping[Reason, tuple[str, str, str]] = {
    Reason.CONSIGNEE_REFUSED: (
        "refus* | reject* | declin* | not want* | not accept* | turned away",
        "*kataa | *kataliwa | hakutaka | hataki",
        "refus* | pas voulu | veut pas | pas accept*",
    ),
    Reason.CONSIGNEE_BUSINESS_CLOSED: (
        "closed | shut | business/shop/office/store not open",
        "*fungwa | *funga duka/ofisi/biashara",
        "ferme*",
    ),
    Reason.CONSIGNEE_NOT_AVAILABLE: (
        "not available | unavailable | not/nobody there | no one there | not reach* | absent",
        f"hakupatikana | hapatikani | hakuweza kupatikana | {_NOBODY_SW}",
        f"pas disponible | indisponible | pas joignable | injoignable | {_NOBODY_FR}",
    ),
    Reason.CONSIGNEE_NOT_HOME: (
        "not/nobody home/there/answer*/open* | no one home/there/answer*/open* | no answer | absent",
        f"hakuwa/hakupatikana/hawakuwepo nyumbani | {_NOBODY_SW}",
        f"pas chez/domicile/maison | {_NOBODY_FR}",
    ),
    Reason.CONSIGNEE_CANCELLED: (
        f"{_CUSTOMER}/he/she cancel* | cancel* {_CUSTOMER}",
        "mpokeaji/mteja *ghairi*/*futa | *ghairi*/*futwa mpokeaji/mteja",
        "destinataire/client* annul* | annul* destinataire/client*",
    ),
    Reason.CONSIGNEE_VERIFICATION_FAILED: (
        "verification fail* | fail* verif* | not verif* | identi* | no/wrong id/code/pin",
        "uthibitisho *shind* | hakuthibitishwa | *shind*/hakuweza kuthibitish* | kitambulisho | utambulisho",
        "verification/destinataire echou* | echec verif* | pas verifi* | identite | mauvais code",
    ),
    Reason.CONSIGNEE_INCORRECT_ADDRESS: (
        "incorrect/wrong/bad address | address incorrect/wrong/bad | address not correct/right",
        "anwani/anuani si/sio/haiko/haikuwa/isiyo sahihi | anwani/anuani *kosea/*kosewa/makosa/batili",
        "mauvaise/fausse adresse | adresse incorrecte/erronee/fausse/mauvaise/inexacte | pas bonne adresse",
    ),
    Reason.CONSIGNEE_ACCESS_RESTRICTED: (
        "access | not let/allowed in | not enter | not get in | locked",
        "kuingia | ufikiaji",
        "acces | inaccessible | pas entrer/entre | verrouille*",
    ),
    Reason.CONSIGNEE_SAFE_PLACE_UNAVAILABLE: (
        "safe/secure place/spot/location",
        "mahali/pahali/sehemu salama",
        "endroit/lieu sur/securise",
    ),
    Reason.CARRIER_DAMAGED_PARCEL: (
        "damag* | parcel/package broken | broken parcel/package",
        "mzigo/kifurushi *harib*/*vunjik* | *harib*/*vunjik* mzigo/kifurushi",
        "endommag* | abim* | deterior* | colis casse",
    ),
    Reason.CARRIER_SORTING_ERROR: (
        "sorting | missort* | wrong* sorted | sorted wrong*",
        "kosa/makosa/hitilafu kupanga/upangaji/kuchambua/uchambuzi",
        "tri | triage | mal trie",
    ),
    Reason.CARRIER_ADDRESS_NOT_FOUND: (
        f"{_PLACE} not found/find/locat* | not found/find/locat* {_PLACE}",
        f"{_MAHALI} *patikan* | *pata {_MAHALI}",
        f"pas trouv* {_ENDROIT} | {_ENDROIT} pas trouv* | {_ENDROIT} introuvable",
    ),
    Reason.CARRIER_PARCEL_LOST: (
        "lost | parcel/package missing",
        "*potea | *potezwa",
        "perdu* | egare*",
    ),
    Reason.CARRIER_NOT_ENOUGH_TIME: (
        "not enough time | no time | out time | lack time | short time | too little time",
        "muda/wakati *tosh*/*isha | hakuna/hakukuwa/hakuwa/kukosa/ukosefu muda/wakati",
        "pas assez temps | pas le temps | pas eu temps | manque/faute temps | plus temps",
    ),
    Reason.CARRIER_VEHICLE_ISSUE: (
        f"{_VEHICLE} {_TROUBLE} | {_TROUBLE} {_VEHICLE} | breakdown | broke down | puncture",
        f"{_GARI} *harib*/tatizo/shida/hitilafu | tatizo/shida/hitilafu {_GARI} | pancha",
        f"panne | crevaison | probleme* {_VEHICULE} | {_VEHICULE} probleme*",
    ),
    Reason.CARRIER_CAPACITY_EXCEEDED: (
        "capacity | too full | overload* | not/no room/space",
        "*pita/*zidi uwezo | uwezo *pit*/*zid* | hakuna/hakukuwa nafasi | *jaa",
        "capacite | plein* | surcharg* | pas/plus place",
    ),
    Reason.CARRIER_MECHANICAL_DELAY: ("mechanic*", "*mitambo | *makanika | kiufundi", "mecani*"),
    Reason.RETAILER_CANCELLED: (
        f"{_SHOP} cancel* | cancel* {_SHOP}",
        f"{_DUKA} *ghairi*/*futa | *ghairi*/*futwa {_DUKA}",
        f"{_MAGASIN} annul* | annul* {_MAGASIN}",
    ),
    Reason.RETAILER_INCORRECT_DATA: (
        "wrong/incorrect/bad details/data/information | details/data/information wrong/incorrect",
        "taarifa/maelezo/data si/sio/zisizo/yasiyo sahihi | taarifa/maelezo/data *kosea/*kosewa/makosa",
        "mauvais*/fauss* informations/donnees | informations/donnees incorrect*/errone*/fauss*/mauvais*",
    ),
    Reason.RETAILER_NOT_READY: (
        "not ready/prepared",
        "haukuwa/hakikuwa/haikuwa/haujawa/hauko/hakiko/hakuwa/si/sio/bado tayari",
        "pas pret* | pas prepare*",
    ),
    Reason.RETAILER_INCORRECT_PARCEL: (
        "wrong/incorrect parcel/package/item | parcel/package/item wrong/incorrect",
        "mzigo/kifurushi si/sio/usio/kisicho sahihi | mzigo/kifurushi *kosea/*kosewa",
        "mauvais colis/paquet/article | colis/paquet/article errone",
    ),
    Reason.RETAILER_INCORRECT_DIMENSIONS: (
        "dimensions | wrong/incorrect size/measurements",
        "vipimo | ukubwa",
        "dimensions | mauvaise taille",
    ),
    Reason.RETAILER_PACKAGING_ISSUE: (
        "packaging | bad*/poor*/wrong* packed",
        "ufungaji | *fungash*",
        "emball* | conditionnement",
    ),
    Reason.CUSTOMS_DELAY: (
        "customs delay*/late | delay* customs",
        "forodha* *chelew* | *chelew* forodha*",
        "douan* retard* | retard* douan*",
    ),
    Reason.CUSTOMS_DOCUMENTATION: (
        "customs document*/paper* | document*/paper* customs",
        "hati/nyaraka/karatasi forodha* | forodha* hati/nyaraka/karatasi",
        "document*/papier* douan* | douan* document*/papier*",
    ),
    Reason.CUSTOMS_DUTIES_UNPAID: (
        "duty/duties/tax/taxes unpaid | duty/duties/tax/taxes not paid | unpaid duty/duties/tax/taxes",
        "ushuru/kodi *lipwa",
        "droits/taxes/douane impaye* | droits/taxes/douane pas/non paye* | impaye* droits/taxes",
    ),
    Reason.CUSTOMS_PROHIBITED: (
        "prohibit*/forbidden/banned customs | customs prohibit*/forbid*/forbade/ban*",
        "*katazwa/marufuku forodha* | forodha* *kataza/marufuku",
        "interdit*/prohib* douan* | douan* interdit*/prohib*",
    ),
    Reason.CUSTOMS_INSPECTION: (
        "customs inspect*/check* | inspect*/check* customs",
        "*kagu* forodha* | forodha* *kagu*",
        "inspect*/controle* douan* | douan* inspect*/controle*",
    ),
    Reason.WEATHER_DELAY: (
        "weather | storm* | rain*",
        "hali hewa | mvua | dhoruba",
        "meteo | mauvais temps | intemperies | pluie* | orage* | tempete*",
    ),
    Reason.NATURAL_DISASTER: (
        "disaster | flood* | earthquake | landslide",
        "maafa | janga/majanga asili | mafuriko | tetemeko",
        "catastrophe* | inondation* | seisme",
    ),
    Reason.FORCE_MAJEURE: (
        "force majeure | beyond control | act god",
        "nguvu kuu | nje uwezo | *epukika",
        "force majeure | cas majeur*",
    ),
    Reason.PARCEL_BEING_RESEARCHED: (
        "being looked for | looking for | search* | traced | investigat*",
        "*tafut*",
        "recherch* | cherch*",
    ),
    Reason.SECURITY_ISSUE: (
        "securit* | unsafe | not safe | danger*",
        "usalama | hatari",
        "securite | danger*",
    ),
    Reason.REGULATORY_HOLD: ("authorit* | regulat*", "mamlaka | serikali", "autorite* | reglement*"),
    Reason.UNKNOWN: (
        "unknown | not know* | no reason",
        "*julikan*",
        "inconnu* | sans raison",
    ),
}
"""How each reason is said, by language: ways parted by `|`, words in their order, `/` between what will do as
well, `*` for any letters. Up to two words may stand between two of them, and no stop or comma."""

_NOT = ((re.compile(r"n't\b"), " not"), (re.compile(r"\bcannot\b"), "can not"))
_STOPS = re.compile(r"[.,:;!?]")
_NO_LETTERS = re.compile(r"[^a-z;]+")


def _word(choice: str) -> str:
    return "(?:" + "|".join(one.replace("*", "[a-z]*") for one in choice.split("/")) + ")"


def _pattern(ways: tuple[str, ...]) -> re.Pattern[str]:
    each = [r"(?: [a-z]+){0,2} ".join(map(_word, way.split())) for way in " | ".join(ways).split(" | ")]
    return re.compile(rf"\b(?:{'|'.join(each)})\b")


_SAID = {reason: _pattern(ways) for reason, ways in WAYS.items()}


def is_said(reason: Reason, text: str) -> bool:
    """Tell whether a text, in small letters without accents, names this reason in one of the languages."""
    for contracted, full in _NOT:
        text = contracted.sub(full, text)
    return _SAID[reason].search(_NO_LETTERS.sub(" ", _STOPS.sub(" ; ", text))) is not None
