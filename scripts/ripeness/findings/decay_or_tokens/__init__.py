"""Does annealing or do more tokens explain the score?"""
