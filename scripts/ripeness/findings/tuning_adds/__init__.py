"""What tuning adds to what a linear classifier reads off the untouched model."""
