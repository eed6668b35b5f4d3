"""An alert: everything it says, and what can be done about it."""

from __future__ import annotations

from gateway.console.live import live_alert, live_alerts
from gateway.console.page import page_route

routes = [
    page_route("/live/alerts", live_alerts),
    page_route("/live/alerts/{publisher}/{alert_id}", live_alert),
]
