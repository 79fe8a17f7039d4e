"""Does the margin between right and wrong answers before tuning predict the score after it?"""
