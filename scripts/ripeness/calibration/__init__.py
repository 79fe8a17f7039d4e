"""Draw whole studies whose truth is known, and count how often their verdicts and intervals are right."""
