"""One module a schema revision, oldest first. A released one never changes."""
