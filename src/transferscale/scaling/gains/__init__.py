"""Gain of an arm over a reference: paired intervals, effective data transferred, verdict."""
