"""Alerts and the steps of their life, as pages show and make them."""
