"""Whether reinforcement works from early checkpoints on."""
