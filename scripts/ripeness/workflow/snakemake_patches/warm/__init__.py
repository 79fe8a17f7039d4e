"""Start local jobs from processes that have their libraries loaded."""
