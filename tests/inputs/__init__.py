"""Tests of the door: what is refused, in which words, and that it leaves nothing behind."""
