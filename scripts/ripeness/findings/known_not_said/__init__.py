"""What a linear classifier reads off an untouched model, against what the model says."""
