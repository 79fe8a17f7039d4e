"""Define what may be done next to any tuning, one module for each."""
