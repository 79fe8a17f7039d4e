"""Does a tuned rate remove the degradation for rotated tasks?"""
