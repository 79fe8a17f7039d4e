"""Turn config.yaml, tasks/ and series/ into one checked grid, without any numeric library."""
