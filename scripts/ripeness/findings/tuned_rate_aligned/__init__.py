"""Does a tuned rate remove the degradation for aligned tasks?"""
