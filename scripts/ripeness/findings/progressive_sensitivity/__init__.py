"""Does more pre-training make a model more sensitive to noise?"""
