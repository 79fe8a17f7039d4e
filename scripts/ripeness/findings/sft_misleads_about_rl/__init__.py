"""Whether the order of checkpoints after supervised tuning misleads about that after reinforcement."""
