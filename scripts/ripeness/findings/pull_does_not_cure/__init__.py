"""Does a pull towards the start cure the degradation?"""
