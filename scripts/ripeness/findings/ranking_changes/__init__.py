"""Whether the order of ways of tuning changes over pre-training."""
