"""Sharp changes along scale or training."""
