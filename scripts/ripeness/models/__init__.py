"""Turn a checkpoint folder into a model that reads and writes text, fast and exactly."""
