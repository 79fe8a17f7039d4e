"""Is there a checkpoint after which tuned scores fall?"""
