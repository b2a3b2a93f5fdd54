"""Scores, gains and scaling laws, each with its uncertainty. No torch: everything here works on tables."""
