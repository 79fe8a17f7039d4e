"""Does tuning on one type of task hurt another type?"""
