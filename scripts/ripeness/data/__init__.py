"""Turn published rows and running text into items, examples and corpora."""
