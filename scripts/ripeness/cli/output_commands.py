"""The commands that take results elsewhere: compare, export, query."""
