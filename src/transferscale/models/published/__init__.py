"""Published weights: checkpoints of VideoMAE and V-JEPA 2 read into the networks of this project, and written back."""
