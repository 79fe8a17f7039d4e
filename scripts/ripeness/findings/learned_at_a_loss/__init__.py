"""Are small features learned at a loss after noise?"""
