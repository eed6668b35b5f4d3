"""Watchlists in the files that people have: read into the contract's messages, and written again.

Owns the formats: CSV and JSON lines, the United Nations' XML, OFAC's CSV files, FollowTheMoney; STIX is only written.
Doesn't own what becomes of an entry: no list is compared, stored, proposed or sent here. `rows` says what every reader
gives, `export` what every writer gives.
"""
