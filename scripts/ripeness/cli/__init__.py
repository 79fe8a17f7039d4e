"""One command over the programs: make a study, plan it, run it, read it."""
