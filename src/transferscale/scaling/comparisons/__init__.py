"""Families side by side: crossovers, multipliers, the probability of being best."""
