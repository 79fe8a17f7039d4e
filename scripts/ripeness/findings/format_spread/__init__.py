"""Do formats matter less for tuned models?"""
