"""The library inside web frameworks; each needs the extra of its name."""
