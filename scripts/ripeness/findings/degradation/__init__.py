"""Does more pre-training make the tuned model worse?"""
