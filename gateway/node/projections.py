"""Registers a node's projections and tables."""

from __future__ import annotations

from collections.abc import Callable

import gateway.attachments.tables.schema
import gateway.casework.tables.schema
import gateway.db.migrate
import gateway.evidence.tables
import gateway.feed.tables.maintenance
import gateway.feed.tables.time_stamps
import gateway.feed.tables.witnesses
import gateway.notifications.tables.schema
import gateway.persons.tables.schema
import gateway.tracing.tables
import gateway.trust.tables  # noqa: F401  these declare tables that are no projections
from gateway.alerts.projection import AlertProjection
from gateway.casework.projection.index import CaseworkProjection
from gateway.db.schema import metadata
from gateway.evidence.projection import AuditHeadProjection
from gateway.feed.projection.registry import Registry
from gateway.figures.projection import FigureProjection
from gateway.history.projection.records import RecordProjection
from gateway.licences.commands.register import LicenceSharing
from gateway.licences.projection import LicenceProjection
from gateway.link_analysis.projection import LinkProjection
from gateway.node.forgetting import forget_alert
from gateway.risk_profiles.commands.register import ProfileSharing
from gateway.risk_profiles.projection import ProfileProjection
from gateway.trust.rules.directory import Directory
from gateway.trust.service.agreements import Agreements
from gateway.watchlists.commands.distribution import ListDistribution
from gateway.watchlists.projection import ListProjection

__all__ = ["metadata", "registry"]


def registry(*, federation: str, node: str, directory: Callable[[], Directory]) -> Registry:
    """A node's projections."""
    return Registry(
        [
            AlertProjection(Agreements(directory, recorded=True), forget=forget_alert),
            ListProjection(
                ListDistribution(federation=federation, node=node, directory=directory), directory=directory
            ),
            LicenceProjection(LicenceSharing(node=node, directory=directory)),
            ProfileProjection(ProfileSharing(node=node, directory=directory)),
            RecordProjection(),
            AuditHeadProjection(),
            FigureProjection(),
            LinkProjection(),
            CaseworkProjection(),
        ]
    )
