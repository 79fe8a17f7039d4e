"""Does a pull towards the start delay the degradation?"""
