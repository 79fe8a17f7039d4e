"""Put everything on one page."""
