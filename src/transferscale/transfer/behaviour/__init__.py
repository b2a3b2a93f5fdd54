"""Behaviour beyond accuracy: corrupted and attacked recordings, other sites and datasets, one task after another."""
