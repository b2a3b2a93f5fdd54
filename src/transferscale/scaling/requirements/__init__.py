"""What a score takes against the difficulty of the task."""
