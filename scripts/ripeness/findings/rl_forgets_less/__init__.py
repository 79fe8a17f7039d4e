"""Whether reinforcement forgets less than supervised tuning."""
