"""Write the report: the answer, verdicts, figures, audit and provenance on one page."""
