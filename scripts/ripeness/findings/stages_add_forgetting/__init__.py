"""Whether stages of alignment after supervised tuning add to what it forgot."""
