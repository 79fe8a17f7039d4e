"""Do simulated linear networks show what theory predicts?"""
