"""Resolve, download and check branches and files from the Hugging Face hub and from GitHub."""
