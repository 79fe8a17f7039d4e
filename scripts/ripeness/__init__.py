"""When, in its pre-training, is a language model ripe for fine-tuning? The code behind the rules."""
