"""Does fine-tuning networks at a fixed rate cost later checkpoints more?"""
