"""Does a short tuning tell the score after the full one?"""
