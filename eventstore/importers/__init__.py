"""Reads conversations of other projects into drafts for the store: one module for each format."""
