"""Does a short tuning run predict the score after the full one?"""
