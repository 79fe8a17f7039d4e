"""How many training examples a checkpoint needs for half of what the most of them give it."""
