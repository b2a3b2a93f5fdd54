"""What it takes to reach a score: pretraining compute, labelled subjects, money."""
