"""Define the ways of tuning, one module for each."""
