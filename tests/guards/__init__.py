"""Tests that hold the shape of the project: who imports whom, what is public, what is promised."""
