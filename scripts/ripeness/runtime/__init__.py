"""Give every program its options, log, error messages and complete files; no measured number depends on it."""
