"""Is more pre-training worse for a model that learns to read pictures?"""
