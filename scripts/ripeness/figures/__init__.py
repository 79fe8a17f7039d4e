"""Draw the figures: tables become frames, frames become charts."""
