"""Give the rules their paths, settings, resources and code digests, and start their jobs."""
