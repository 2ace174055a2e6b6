"""A write from its command to its result.

``append`` is the page to begin with: it names the steps in order. ``heads`` takes and moves the
heads of streams, ``categories`` names the handler of each category of streams, and each
``*_streams`` module is one: it views, decides, evolves and answers. ``results`` makes the values
that callers get.
"""
