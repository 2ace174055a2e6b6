"""Tests of the log: appending and reading it, its chain, its guards, its schema, and its format."""
