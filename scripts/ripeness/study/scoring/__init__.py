"""The metrics of a task: what each is called, what its numbers mean, and how it scores one answer."""
