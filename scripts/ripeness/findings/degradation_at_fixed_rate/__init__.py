"""Does tuning at a fixed rate cost later checkpoints more?"""
