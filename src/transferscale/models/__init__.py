"""Networks: the video transformer of the ladder, how it is built from a spec, saved and loaded."""
