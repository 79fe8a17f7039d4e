"""Does the loss on text of an untouched checkpoint mislead about its tuned score?"""
