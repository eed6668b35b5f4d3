"""Statements on recorded shipments, their index, holds, risk hits and answers."""
