"""The ladder of a study as a set of runs: which there are, what they foretell of the last rung, whether they fall."""
