"""What ways of tuning that train fewer numbers forget at an equal gain."""
