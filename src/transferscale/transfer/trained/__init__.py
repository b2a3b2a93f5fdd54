"""Read-outs that train: what of a network moves, and what its tokens are read by. One file a read-out."""
