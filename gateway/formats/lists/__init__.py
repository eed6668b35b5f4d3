"""Watchlists in the files that people have: read into the contract's messages, and written again.

`rows` says what every reader gives, `export` what every writer gives.
"""
