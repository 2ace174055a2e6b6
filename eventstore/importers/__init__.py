"""Conversations from elsewhere, read into what the store takes: one module a format."""
