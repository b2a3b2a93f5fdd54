"""The clip store: decoded clips of one shape, written by corpus and medical, read by pretrain and transfer."""
