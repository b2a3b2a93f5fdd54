"""Clips into checkpoints: objectives, schedule, Lightning module and data, rungs."""
