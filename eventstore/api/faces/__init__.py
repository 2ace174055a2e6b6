"""The two faces of the operations: methods with their real parameters and results.

``sync.py``, ``asynchronous.py`` and ``planned.py`` are written by ``python -m scripts.faces`` from
the operations, because editors and type checkers read source. The others are written by hand: the
bases of the resources, pages and handles.
"""
