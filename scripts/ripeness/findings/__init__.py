"""Test published claims on the tables, one package for each claim."""
