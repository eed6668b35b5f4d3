"""Gathers what has happened and writes who is told, in the writer's transactions."""
