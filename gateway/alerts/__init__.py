"""Alerts: published, amended, acknowledged, withdrawn and watched."""
