"""Define the kinds of tuning as settings with their checks, one module for each kind; nothing heavy is imported."""
