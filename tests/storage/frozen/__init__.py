"""One database of every released schema, and what its threads looked like; see ``make.py``."""
