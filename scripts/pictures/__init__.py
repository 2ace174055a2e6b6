"""Draws the pictures of the README and the documentation from a store that plays a conversation.

    python -m scripts.pictures

The clock and the ids are the same each time, so a test holds the files to the program.
"""
