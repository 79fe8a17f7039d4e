"""Read tables and tensors that this project wrote, and name a damaged file."""
