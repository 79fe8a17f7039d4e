"""Are answers about pictures read off the pictures, or guessed from the questions?"""
