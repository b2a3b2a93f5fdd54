"""Pictures of what the verbs find: one specification gives SVG, PNG and an interactive page."""
