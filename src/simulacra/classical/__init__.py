"""Baselines that are solved, not trained: what every model must beat."""
