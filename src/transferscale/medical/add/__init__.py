"""A folder or table into a dataset file: what is it, what is in it, and what should be asked of it."""
