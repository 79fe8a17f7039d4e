"""Pre-train, anneal and tune models."""
