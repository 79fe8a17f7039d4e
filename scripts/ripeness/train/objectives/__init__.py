"""What a training lowers, batch by batch: one module for each thing that can be learned."""
