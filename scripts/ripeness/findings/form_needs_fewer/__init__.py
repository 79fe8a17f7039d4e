"""Does form need fewer examples than knowledge?"""
