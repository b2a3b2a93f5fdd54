"""Clips into checkpoints: objectives, schedule, training loop, data, rungs."""
