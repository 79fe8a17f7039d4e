"""Define the columns of every table, read published tables, and choose the rows to compare."""
