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
_ANWANI = "anwani/anuani"
_MAHALI = f"{_ANWANI}/mahali/nyumba/mlango"
_ENDROIT = "adresse/endroit/maison/porte/batiment"
_NOBODY_SW = "hakuna/hakukuw*/hapakuw* mtu | hakuna aliye* | hakuwepo/hakuwapo/hayupo/hayuko"
_NOBODY_FR = "absent* | avait/a personne | personne repond*/ouv*/venu*"
_HOME = "home/there/answer*/open*"
_VEHICLE = "vehicle/van/truck/car/lorry/bike/motorbike/motorcycle"
_GARI = "gari/pikipiki/lori"
_VEHICULE = "vehicule/camion*/voiture/moto"
_TROUBLE = "trouble/problem*/issue*/broke*/fail*"
_TATIZO = "*tatizo/shida/hitilafu"
_TAARIFA = "taarifa/maelezo/data"
_INFOS = "informations/donnees/details"
_FAUX = "incorrect*/errone*/fauss*/mauvais*/inexact*"
_ENNUI = "probleme*/ennui*/souci*"
_GHAIRI = "*ghairi*/*futa/*sitisha/*batilisha"
_GHAIRIWA = "*ghairi*/*futwa/*sitishwa/*batilishwa"

WAYS: Mapping[Reason, tuple[str, str, str]] = {
    Reason.CONSIGNEE_REFUSED: (
        "refus* | reject* | declin* | not want* | not accept* | not take it/parcel/package | turned away",
        "*kataa | *kataliwa | hakutaka | hataki | hakukubali",
        "refus* | pas voulu | veut pas | pas accept*",
    ),
    Reason.CONSIGNEE_BUSINESS_CLOSED: (
        "closed | shut | business/shop/office/store not open",
        "*fungwa | *funga duka/ofisi/biashara | duka/ofisi/biashara *funga",
        "ferme*",
    ),
    Reason.CONSIGNEE_NOT_AVAILABLE: (
        "not/nobody available/there | no one available/there | unavailable | not reach* | absent",
        f"hakupatikana | hapatikani | hakuweza kupatikana | {_NOBODY_SW}",
        f"pas/non disponible | indisponible | pas joignable | injoignable | {_NOBODY_FR}",
    ),
    Reason.CONSIGNEE_NOT_HOME: (
        f"not/nobody {_HOME} | no one {_HOME}/in | nobody in | no answer | absent",
        f"hakuwa/hakupatikana/hawakuwepo nyumbani | {_NOBODY_SW}",
        f"pas/personne chez/domicile/maison | personne etait chez/domicile/maison | {_NOBODY_FR}",
    ),
    Reason.CONSIGNEE_CANCELLED: (
        f"{_CUSTOMER}/he/she cancel* | cancel* {_CUSTOMER}",
        f"mpokeaji/mteja {_GHAIRI} | {_GHAIRIWA} mpokeaji/mteja",
        "destinataire/client* annul* | annul* destinataire/client*",
    ),
    Reason.CONSIGNEE_VERIFICATION_FAILED: (
        "verification fail* | fail* verif* | not verif* | identi* | no/wrong id/code/pin",
        "uthibiti* *shind*/*feli* | hakuthibitishwa | *shind*/hakuweza kuthibitish* | *tambulisho",
        "verification/destinataire echou* | echec verif* | pas verifi* | identite | mauvais code",
    ),
    Reason.CONSIGNEE_INCORRECT_ADDRESS: (
        "incorrect/wrong/bad address | address incorrect/wrong/bad | address not correct/right",
        f"{_ANWANI} si/sio/haiko/haikuwa/isiyo sahihi/sawa | {_ANWANI} *kosea/*kosewa/makosa/batili/mbaya",
        f"mauvaise/fausse adresse | adresse {_FAUX} | pas bonne adresse | adresse pas correcte/bonne",
    ),
    Reason.CONSIGNEE_ACCESS_RESTRICTED: (
        "access | not let/allowed in | not enter | not get in/into | locked",
        "kuingia | ufikiaji | upatikanaji | njia *zuiwa/*zuiliwa",
        "acces | inaccessible | pas entrer/entre | verrouille*",
    ),
    Reason.CONSIGNEE_SAFE_PLACE_UNAVAILABLE: (
        "safe/secure place/spot/location | nowhere safe",
        "mahali/pahali/sehemu/eneo salama",
        "endroit/lieu sur/securise",
    ),
    Reason.CARRIER_DAMAGED_PARCEL: (
        "damag* | parcel/package broken | broken parcel/package",
        "mzigo/kifurushi *harib*/*vunjik* | *harib*/*vunjik* mzigo/kifurushi",
        "endommag* | abim* | deterior* | colis casse",
    ),
    Reason.CARRIER_SORTING_ERROR: (
        "sorting | missort* | wrong* sorted | sorted wrong*",
        "kosa/makosa/hitilafu kupanga/upangaji/kuchambua/uchambuzi/kuainisha/uainishaji",
        "tri | triage | mal trie",
    ),
    Reason.CARRIER_ADDRESS_NOT_FOUND: (
        f"{_PLACE} not found/find/locat* | not/unable found/find/locat* {_PLACE}",
        f"{_MAHALI} *patikan*/*onekana | *pata {_MAHALI}",
        f"pas/impossible trouv* {_ENDROIT} | {_ENDROIT} pas trouv* | {_ENDROIT} introuvable",
    ),
    Reason.CARRIER_PARCEL_LOST: (
        "lost | parcel/package missing",
        "*potea | *potezwa",
        "perdu* | egare*",
    ),
    Reason.CARRIER_NOT_ENOUGH_TIME: (
        "not enough time | no time | out time | lack time | short time | too little time",
        "muda/wakati *tosh*/*isha | hakuna/hakukuwa/hakuwa/kukosa/ukosefu/uhaba muda/wakati",
        "pas assez temps | pas le temps | pas eu temps | manque/faute temps | plus temps",
    ),
    Reason.CARRIER_VEHICLE_ISSUE: (
        f"{_VEHICLE} {_TROUBLE} | {_TROUBLE} {_VEHICLE} | breakdown | broke down | puncture | flat tyre/tire",
        f"{_GARI} *harib* | {_GARI} {_TATIZO} | {_TATIZO} {_GARI} | pancha",
        f"panne | crevaison | {_ENNUI} {_VEHICULE} | {_VEHICULE} {_ENNUI}",
    ),
    Reason.CARRIER_CAPACITY_EXCEEDED: (
        "capacity | too full | overload* | not/no room/space",
        "*pita/*zidi uwezo | uwezo *pit*/*zid* | zaidi uwezo | hakuna/hakukuwa nafasi | *jaa",
        "*capacite | plein* | surcharg* | pas/plus place",
    ),
    Reason.CARRIER_MECHANICAL_DELAY: ("mechanic*", "*mitambo | *makanika/*mekanika | kiufundi", "mecani*"),
    Reason.RETAILER_CANCELLED: (
        f"{_SHOP} cancel* | cancel* {_SHOP}",
        f"{_DUKA} {_GHAIRI} | {_GHAIRIWA} {_DUKA}",
        f"{_MAGASIN} annul* | annul* {_MAGASIN}",
    ),
    Reason.RETAILER_INCORRECT_DATA: (
        "wrong/incorrect/bad details/data/information | details/data/information wrong/incorrect",
        f"{_TAARIFA} si/sio/zisizo/yasiyo sahihi | {_TAARIFA} *kosea/*kosewa/makosa/mabaya/mbaya",
        f"mauvais*/fauss* {_INFOS} | {_INFOS} {_FAUX}",
    ),
    Reason.RETAILER_NOT_READY: (
        "not ready/prepared",
        "ha*kuwa/ha*jawa/ha*ko/si/sio/bado tayari",
        "pas/non pret*/prepare*",
    ),
    Reason.RETAILER_INCORRECT_PARCEL: (
        "wrong/incorrect parcel/package/item | parcel/package/item wrong/incorrect",
        "mzigo/kifurushi si/sio/usio/kisicho sahihi | mzigo/kifurushi *kosea/*kosewa/mbaya/kibaya",
        "mauvais colis/paquet/article | colis/paquet/article errone/incorrect",
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
        "*katazwa/marufuku/*zuiwa/*zuiliwa forodha* | forodha* *kataza/marufuku/*zuia",
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
        "meteo* | mauvais temps | intemperies | pluie* | orage* | tempete*",
    ),
    Reason.NATURAL_DISASTER: (
        "disaster | flood* | earthquake | landslide",
        "maafa | janga/majanga *asili | mafuriko | tetemeko",
        "catastrophe* | inondation* | seisme",
    ),
    Reason.FORCE_MAJEURE: (
        "force majeure | beyond control | act god",
        "nguvu kuu/kubwa | nje uwezo | *epukika | *zuilika",
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
