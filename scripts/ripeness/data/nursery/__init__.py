"""Make the small world and the tasks of the embedded study."""
