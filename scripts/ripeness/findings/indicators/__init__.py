"""Which measurements of an untouched checkpoint predict its score after tuning?"""
