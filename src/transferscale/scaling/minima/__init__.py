"""IsoFLOP minima: at a compute budget, which size of model has the lowest loss; and the frontier that they make."""
