"""Run a model over many texts at once: packed, with shared prefixes, or one by one."""
