"""Change what Snakemake does from outside: one module a change, each of which can be left out."""
