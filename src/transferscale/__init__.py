"""Is pretraining on video worth it for a small medical dataset, and at which scale?"""

__version__ = "0.1.0"
