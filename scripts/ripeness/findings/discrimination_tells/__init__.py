"""Does telling right from wrong answers before tuning tell the score after it?"""
