"""The page of an alert, its sections and the steps that can be taken on it."""

from __future__ import annotations

from gateway.console.pages.alert import case, show, steps

routes = [*show.routes, *steps.routes, *case.routes]
