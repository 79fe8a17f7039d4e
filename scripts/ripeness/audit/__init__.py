"""Check the grid, the items, the prompts and the results of a study."""
