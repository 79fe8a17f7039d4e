"""What a policy loses in truth if a reward model rewards it in place of the rule."""
