"""Give every program options, a log, error messages and complete files; no number depends on it."""
