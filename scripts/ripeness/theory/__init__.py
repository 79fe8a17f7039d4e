"""Simulate two-layer linear networks."""
