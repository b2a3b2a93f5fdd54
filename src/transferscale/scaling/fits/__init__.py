"""Laws fitted to points: objectives, solver, resampling, verdicts, backtests, predictions written down."""
