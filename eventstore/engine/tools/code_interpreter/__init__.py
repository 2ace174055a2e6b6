"""The code interpreter: Python code that a model writes runs in a sandboxed kernel.

Needs the extra ``[code]`` and, on Linux, the program ``bwrap`` of the package bubblewrap.
"""

from eventstore.engine.tools.code_interpreter.interpreter import CodeInterpreter
from eventstore.engine.tools.code_interpreter.limits import CodeLimits
from eventstore.engine.tools.code_interpreter.outputs import Artifact, CodeError
from eventstore.engine.tools.code_interpreter.results import CodeResult

__all__ = ["Artifact", "CodeError", "CodeInterpreter", "CodeLimits", "CodeResult"]
