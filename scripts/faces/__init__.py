"""Write the two faces and the batch out as source, from the operations.

Editors, type checkers and documentation tools read source, so every public method stands there with
its real parameters, its real result and its whole docstring. The text comes from the operations:
``def create(scope, thread_id, *, role, ..., options: WriteOptions) -> Write[Message]`` becomes

    def create(self, thread_id, *, role, ..., expected_head=None, ...) -> Message

and the same as a coroutine. No line of them decides anything. ``tests/guards/test_faces.py``
holds the files equal to the output of this script. Run it after changing an operation:

    python -m scripts.faces
"""
