"""Whether policies of riper checkpoints lose less in truth to a reward model."""
