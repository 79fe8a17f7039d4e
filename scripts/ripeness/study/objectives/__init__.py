"""What models can learn besides answers and text: the settings of each, and what the config and the plan know of it."""
