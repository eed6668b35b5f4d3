"""Rules of licences: quantities, parties, balances and coverage; pure."""
