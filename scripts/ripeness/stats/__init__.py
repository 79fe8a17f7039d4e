"""Estimate numbers with intervals; nothing here knows about language models."""
