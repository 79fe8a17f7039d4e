"""Define what each kind of tuning does to a model, one module for each kind."""
