"""Give the rules paths, settings, resources and keys of results; start and forecast their jobs."""
