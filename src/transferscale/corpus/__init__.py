"""Videos into clips of one geometry: synthetic motion, manifest, shots, clips, card."""
