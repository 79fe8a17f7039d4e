"""Does tuning on one dataset help others of its type?"""
