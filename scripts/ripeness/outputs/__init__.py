"""Take results elsewhere: open, query, compare and export a study."""
