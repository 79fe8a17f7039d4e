"""Whether alignment forgets more from later checkpoints."""
