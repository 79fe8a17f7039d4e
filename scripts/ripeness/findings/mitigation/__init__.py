"""Which treatments reduce degradation?"""
