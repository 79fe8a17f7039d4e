"""Does noise cost simulated networks more, the more they have learned?"""
