"""Stateroom's public import name."""
