"""Let a model answer its probes, and score the answers."""
