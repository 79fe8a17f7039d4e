"""Does tuning help most where pre-training taught nothing?"""
