"""Offers, adopts and reports on risk profiles, and distributes that to those whom it concerns."""
