"""Refuse a checkpoint folder that is damaged or predicts worse or better than it can."""
