"""Territories by every name that the United Nations and OFAC publish."""

from __future__ import annotations

import csv
from importlib import resources

import pytest

from gateway.formats.territories import place_in, territory_code, territory_name

MEMBERS = """\
Afghanistan|Albania|Algeria|Andorra|Angola|Antigua and Barbuda|Argentina|Armenia|Australia|Austria|Azerbaijan|Bahamas|
Bahrain|Bangladesh|Barbados|Belarus|Belgium|Belize|Benin|Bhutan|Bolivia (Plurinational State of)|
Bosnia and Herzegovina|Botswana|Brazil|Brunei Darussalam|Bulgaria|Burkina Faso|Burundi|Cabo Verde|Cambodia|Cameroon|
Canada|Central African Republic|Chad|Chile|China|Colombia|Comoros|Congo|Costa Rica|Côte d'Ivoire|Croatia|Cuba|Cyprus|
Czechia|Democratic People's Republic of Korea|Democratic Republic of the Congo|Denmark|Djibouti|Dominica|
Dominican Republic|Ecuador|Egypt|El Salvador|Equatorial Guinea|Eritrea|Estonia|Eswatini|Ethiopia|Fiji|Finland|France|
Gabon|Gambia|Georgia|Germany|Ghana|Greece|Grenada|Guatemala|Guinea|Guinea-Bissau|Guyana|Haiti|Honduras|Hungary|Iceland|
India|Indonesia|Iran (Islamic Republic of)|Iraq|Ireland|Israel|Italy|Jamaica|Japan|Jordan|Kazakhstan|Kenya|Kiribati|
Kuwait|Kyrgyzstan|Lao People's Democratic Republic|Latvia|Lebanon|Lesotho|Liberia|Libya|Liechtenstein|Lithuania|
Luxembourg|Madagascar|Malawi|Malaysia|Maldives|Mali|Malta|Marshall Islands|Mauritania|Mauritius|Mexico|
Micronesia (Federated States of)|Monaco|Mongolia|Montenegro|Morocco|Mozambique|Myanmar|Namibia|Nauru|Nepal|
Netherlands (Kingdom of the)|New Zealand|Nicaragua|Niger|Nigeria|North Macedonia|Norway|Oman|Pakistan|Palau|Panama|
Papua New Guinea|Paraguay|Peru|Philippines|Poland|Portugal|Qatar|Republic of Korea|Republic of Moldova|Romania|
Russian Federation|Rwanda|Saint Kitts and Nevis|Saint Lucia|Saint Vincent and the Grenadines|Samoa|San Marino|
Sao Tome and Principe|Saudi Arabia|Senegal|Serbia|Seychelles|Sierra Leone|Singapore|Slovakia|Slovenia|Solomon Islands|
Somalia|South Africa|South Sudan|Spain|Sri Lanka|Sudan|Suriname|Sweden|Switzerland|Syrian Arab Republic|Tajikistan|
Thailand|Timor-Leste|Togo|Tonga|Trinidad and Tobago|Tunisia|Türkiye|Turkmenistan|Tuvalu|Uganda|Ukraine|
United Arab Emirates|United Kingdom of Great Britain and Northern Ireland|United Republic of Tanzania|
United States of America|Uruguay|Uzbekistan|Vanuatu|Venezuela (Bolivarian Republic of)|Viet Nam|Yemen|Zambia|Zimbabwe|
Holy See|State of Palestine"""
"""Members and observers of the United Nations, by the names of its terminology base."""

OFAC = """\
Aruba|Bahamas, The|Bermuda|British Virgin Islands|Brunei|Burma|Cayman Islands|Congo, Democratic Republic of the|
Congo, Republic of the|Cook Islands|Cote d Ivoire|Czech Republic|Democratic People's Republic of Korea|Gambia, The|
Gibraltar|Guernsey|HONG KONG|Hong Kong|IRAN|Iran|Jersey|Korea, North|Korea, South|Kosovo|Laos|Macau|
Macedonia, The Former Yugoslav Republic of|Man, Isle of|Moldova|Netherlands|North Macedonia, The Republic of|
Palestinian|Region: Gaza|Region: North Gaza|Region: Northern Gaza|Region: Northern Mali|Region: Russia|
Region: West Bank|Russia|St. Kitts & Nevis|St. Kitts and Nevis|St. Vincent and the Grenadines|Syria|Taiwan|Tanzania|
The Gambia|Turkey|Venezuela|Vietnam|Virgin Islands, British|Virgin Islands, U.S.|West Bank|
Cabo Verde.  Previously Cape Verde."""
"""Names that OFAC's files have in place of the above, as published since 2015."""

NO_TERRITORY = (
    "Netherlands Antilles",
    "Region: Crimea",
    "Region: Kafia Kingi",
    "Region: Jammu and Kashmir",
    "undetermined",
)
"""Dissolved, disputed, or none: the lists have them, and no code says the same."""


@pytest.mark.parametrize("names", [MEMBERS, OFAC], ids=["un", "ofac"])
def test_every_published_name_has_a_code(names: str) -> None:
    said = [name.strip() for name in names.replace("\n", "").split("|")]
    assert len(said) > 50
    assert [name for name in said if not territory_code(name)] == []
    assert [name for name in said if territory_code(name.upper()) != territory_code(name)] == []


def test_what_is_no_territory_gets_no_code() -> None:
    assert [territory_code(name) for name in NO_TERRITORY] == [None] * len(NO_TERRITORY)


def test_no_name_means_two_territories() -> None:
    text = resources.files("gateway.reference").joinpath("territory_names.csv").read_text("utf-8")
    for row in csv.DictReader(text.splitlines()):
        for name in (row["name"], row["un"], row["ofac"], *row["others"].split("|")):
            assert not name or territory_code(name) == row["territory"], name
        assert territory_name(row["territory"]) == row["name"]


def test_a_place_ends_with_a_name_that_may_have_commas() -> None:
    assert place_in("Example City, Korea, North") == ("Example City", "KP")
    assert place_in("Example City, Congo, Democratic Republic of the") == ("Example City", "CD")
    assert place_in("Bahamas, The") == ("", "BS")
    assert place_in("Georgia, Example State, Brazil") == ("Georgia, Example State", "BR")
    assert place_in("Example City, Atlantis") == ("Example City, Atlantis", "")
