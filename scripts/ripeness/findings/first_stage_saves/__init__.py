"""Does a first stage, which trains the projector alone, save the model from forgetting?"""
