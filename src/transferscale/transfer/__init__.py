"""Transfer: checkpoints and classical baselines put to the test on medical recordings."""
