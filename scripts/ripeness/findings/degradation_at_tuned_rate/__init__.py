"""Does choosing the rate for each checkpoint remove this cost?"""
