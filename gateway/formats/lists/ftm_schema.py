"""Maps the part of FollowTheMoney's model that a watchlist needs to an entry.

Source: the FollowTheMoney model as OpenSanctions publishes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from gateway.v1.watchlist_pb2 import (
    LISTED_NAME_KIND_ALIAS,
    LISTED_NAME_KIND_FORMER,
    LISTED_NAME_KIND_TRADE,
    LISTED_NAME_KIND_WEAK_ALIAS,
    WATCHLIST_KIND_ADDRESS,
    WATCHLIST_KIND_AIRCRAFT,
    WATCHLIST_KIND_ORGANISATION,
    WATCHLIST_KIND_PERSON,
    WATCHLIST_KIND_VEHICLE,
    WATCHLIST_KIND_VESSEL,
    WatchlistKind,
)

KINDS: Mapping[str, WatchlistKind.ValueType] = MappingProxyType(
    {
        "Person": WATCHLIST_KIND_PERSON,
        "Organization": WATCHLIST_KIND_ORGANISATION,
        "Company": WATCHLIST_KIND_ORGANISATION,
        "LegalEntity": WATCHLIST_KIND_ORGANISATION,
        "PublicBody": WATCHLIST_KIND_ORGANISATION,
        "Vessel": WATCHLIST_KIND_VESSEL,
        "Vehicle": WATCHLIST_KIND_VEHICLE,
        "Airplane": WATCHLIST_KIND_AIRCRAFT,
        "Address": WATCHLIST_KIND_ADDRESS,
    }
)
"""Schema to kind of entry; an Address is an entry if no other entity refers to it."""

DIGITAL_CURRENCY = "digital_currency_address"
"""Scheme of a wallet's address; the currency's code follows."""

RELATED = frozenset({"Address", "CryptoWallet", "Identification", "Passport", "Sanction"})
"""Schemata about another entity."""

HOLDERS = ("holder", "entity")
"""Properties of a related entity that refer to its subject."""

NAMES: Mapping[str, int] = MappingProxyType(
    {
        "name": LISTED_NAME_KIND_ALIAS,
        "alias": LISTED_NAME_KIND_ALIAS,
        "weakAlias": LISTED_NAME_KIND_WEAK_ALIAS,
        "previousName": LISTED_NAME_KIND_FORMER,
        "abbreviation": LISTED_NAME_KIND_TRADE,
    }
)
"""Property to kind of name; of several `name`, the caption or first in the alphabet is primary."""

IDENTIFIERS: Mapping[str, str] = MappingProxyType(
    {
        "passportNumber": "passport",
        "idNumber": "national_id",
        "socialSecurityNumber": "social_security_number",
        "taxNumber": "tax_number",
        "vatCode": "vat_number",
        "registrationNumber": "registration_number",
        "uscCode": "uscc",
        "leiCode": "lei",
        "swiftBic": "swift_bic",
        "dunsCode": "duns",
        "innCode": "inn",
        "kppCode": "kpp",
        "ogrnCode": "ogrn",
        "okpoCode": "okpo",
        "imoNumber": "imo_ship",
        "mmsi": "mmsi",
        "callSign": "call_sign",
        "serialNumber": "aircraft_serial_number",
        "icaoCode": "icao_24_bit_address",
        "vin": "vin",
        "bikCode": "bik",
        "isinCode": "isin",
        "email": "email",
        "phone": "telephone",
        "website": "website",
    }
)
"""Property to scheme."""

CONTACTS = ("email", "phone", "website")
"""Those of persons and organisations alike."""

REGISTRATIONS: Mapping[str, str] = MappingProxyType({"Vehicle": "vehicle_plate", "Airplane": "aircraft_registration"})
"""Schema to the scheme of its registrationNumber, unless registration_number."""

TERRITORIES = ("nationality", "citizenship", "jurisdiction", "mainCountry", "flag", "country")
"""Properties that become territories."""

NOT_READ = frozenset(
    {
        *("topics", "datasets", "createdAt", "modifiedAt", "retrievedAt", "indexText", "keywords", "publisher"),
        *("alephUrl", "wikidataId", "wikipediaUrl", "proof", "firstName", "secondName", "middleName", "lastName"),
        *(
            "fatherName",
            "motherName",
            "nameSuffix",
            "address",
            "addressEntity",
            "birthDate",
            "birthPlace",
            "birthCountry",
        ),
        *("notes", "programId"),
    }
)
"""Properties not put into words: in the entry elsewhere, parts of the name, or internal to the source."""
