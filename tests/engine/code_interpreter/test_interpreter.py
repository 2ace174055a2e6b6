"""Code runs in a kernel of its thread: state, outputs, files, ends of kernels, queues."""

import os
import select
import signal
import threading
from dataclasses import replace

import pytest

from eventstore import InvalidInput, ToolError
from eventstore.conversation import content
from eventstore.engine.tools.code_interpreter import CodeInterpreter, CodeLimits
from tests.engine.code_interpreter.conftest import SMALL

PLOT = """
import matplotlib.pyplot as plt
plt.plot([1, 2, 4])
plt.show()
"""


def until(condition):
    reached = threading.Event()
    for _ in range(10_000):
        if condition():
            return
        reached.wait(0.001)
    raise AssertionError("it did not come to that")


def test_state_lasts_between_the_calls_of_a_thread(interpreter):
    assert interpreter.run("state", "x = 20").output["kernel"] == "new"
    result = interpreter.run("state", "print('x is', x)\nx + 1")
    assert (result.status, result.kernel) == ("completed", "kept")
    assert (result.stdout, result.result) == ("x is 20\n", "21")


def test_an_exception_is_a_failed_result_with_a_traceback(interpreter):
    result = interpreter.run("state", "def f():\n    return 1 / 0\nprint('before')\nf()")
    assert (result.status, result.stdout) == ("failed", "before\n")
    assert (result.error.name, result.error.message) == ("ZeroDivisionError", "division by zero")
    assert "return 1 / 0" in result.error.traceback
    assert "\x1b" not in result.error.traceback
    assert result.output["error"]["name"] == "ZeroDivisionError"


def test_a_syntax_error_is_one_too(interpreter):
    result = interpreter.run("state", "def f(:")
    assert (result.status, result.error.name) == ("failed", "SyntaxError")


def test_standard_error_is_apart(interpreter):
    result = interpreter.run("state", "import sys; print('a'); print('b', file=sys.stderr)")
    assert (result.stdout, result.stderr) == ("a\n", "b\n")


def test_nobody_answers_input(interpreter):
    assert interpreter.run("state", "input()").error.name == "StdinNotImplementedError"


def test_a_plot_comes_back_as_an_image_part(interpreter):
    result = interpreter.run("state", PLOT)
    assert result.status == "completed", result.output
    (image,) = result.parts
    assert image.url.startswith("data:image/png;base64,iVBORw0KGgo")
    assert result.output["images"] == 1
    content.packed([image], 32)  # content of a message as it is


def test_files_are_placed_and_come_back(interpreter):
    code = "rows = open('in.csv').read()\nopen('out.csv', 'w').write(rows.upper());"
    result = interpreter.run("state", code, {"in.csv": b"a,b\n"})
    (part,) = result.parts
    assert (part.name, part.media_type) == ("out.csv", "text/csv")
    assert part.file_id == "data:text/csv;base64,QSxCCg=="
    assert result.output["files"] == ["out.csv"]
    again = interpreter.run("state", "open('out.csv').read()")
    assert (again.result, again.parts) == (r"'A,B\n'", ())


def test_a_file_that_is_too_large_is_named_by_a_note(interpreter):
    code = "open('large.bin', 'wb').write(bytes(9_000_000)); None"
    result = interpreter.run("state", code)
    assert (result.status, result.parts) == ("completed", ())
    assert "1 images or files were too large" in result.note
    interpreter.run("state", "import os; os.unlink('large.bin')")


@pytest.mark.parametrize("name", ["../a", "/etc/passwd", "", "..", ".hidden", "a/b", "a\0b"])
def test_a_name_of_a_file_is_a_plain_one(interpreter, name):
    with pytest.raises(InvalidInput, match="files"):
        interpreter.run("state", "1", {name: b""})


def test_a_kernel_that_ends_is_replaced_and_the_model_is_told(interpreter):
    interpreter.run("state", "x = 1")
    died = interpreter.run("state", "import os; os._exit(3)")
    assert died.status == "failed"
    assert died.note.startswith("The kernel ended while the code ran. All variables")
    after = interpreter.run("state", "x")
    assert (after.kernel, after.error.name) == ("new", "NameError")


def test_a_kernel_that_ended_between_two_calls_is_replaced_before_the_next(interpreter):
    interpreter.run("state", "x = 1")
    kernel = interpreter.process_of("state")
    end = os.pidfd_open(kernel)
    os.kill(kernel, signal.SIGKILL)  # as Linux does when memory runs out
    select.select([end], [], [], 10)
    os.close(end)
    after = interpreter.run("state", "6 * 7")
    assert (after.status, after.result, after.kernel) == ("completed", "42", "restarted")
    assert "since it had ended. All variables and files of earlier calls are gone." in after.note


def test_a_kernel_outlives_the_os_thread_that_asked_for_it(interpreter):
    first = threading.Thread(target=interpreter.run, args=("outlives", "x = 5"))
    first.start()
    first.join()
    second = interpreter.run("outlives", "x")
    assert (second.result, second.kernel) == ("5", "kept")


def test_cancel_interrupts_the_call_and_keeps_the_state():
    with CodeInterpreter(limits=replace(SMALL, grace_seconds=30)) as patient:
        patient.run("state", "kept = 5")
        results = []
        code = "print('begun', flush=True)\nwhile True: pass"
        worker = threading.Thread(target=lambda: results.append(patient.run("state", code)))
        worker.start()
        until(lambda: patient.cancel("state"))
        worker.join()
        assert results[0].status == "cancelled"
        assert patient.run("state", "kept").result == "5"
        assert not patient.cancel("state")


def test_a_thread_that_needs_room_ends_the_kernel_idle_longest():
    with CodeInterpreter(limits=replace(SMALL, kernels_max=1)) as crowded:
        crowded.run("first", "x = 1")
        crowded.run("second", "x = 2")
        assert crowded.kernels == 1
        result = crowded.run("first", "x")
    assert (result.status, result.kernel) == ("failed", "restarted")
    assert "another conversation needed its place" in result.note


def test_a_call_waits_for_a_kernel_only_so_long():
    limits = replace(SMALL, kernels_max=1, queue_seconds=0.2)
    with CodeInterpreter(limits=limits) as crowded:
        busy = threading.Thread(target=crowded.run, args=("first", "import time; time.sleep(60)"))
        busy.start()
        until(lambda: crowded.kernels)
        result = crowded.run("second", "1")
        crowded.cancel("first")
        busy.join()
    assert (result.status, result.kernel) == ("failed", "none")
    assert "all kernels were busy" in result.note


def test_an_idle_kernel_ends():
    with CodeInterpreter(limits=replace(SMALL, idle_seconds=0.1)) as forgetful:
        forgetful.run("thread", "x = 1")
        until(lambda: forgetful.kernels == 0)
        result = forgetful.run("thread", "x")
    assert (result.status, result.kernel) == ("failed", "restarted")
    assert "idle for too long" in result.note


def test_a_closed_interpreter_runs_nothing():
    interpreter = CodeInterpreter(limits=SMALL)
    interpreter.close()
    with pytest.raises(ToolError) as caught:
        interpreter.run("thread", "1")
    assert caught.value.code == "closed"


@pytest.mark.long
def test_fifty_threads_share_two_kernels():
    with CodeInterpreter(limits=replace(SMALL, kernels_max=2, queue_seconds=300)) as shared:
        results = {}

        def work(n):
            results[n] = shared.run(f"thread {n}", f"print({n})")

        workers = [threading.Thread(target=work, args=(n,)) for n in range(50)]
        for worker in workers:
            worker.start()
        most = 0
        for worker in workers:
            most = max(most, shared.kernels)
            worker.join()
    assert {n: result.stdout for n, result in results.items()} == {n: f"{n}\n" for n in range(50)}
    assert most <= 2


# -- where there is no sandbox ---------------------------------------------------------------------


def test_without_bubblewrap_there_is_no_interpreter(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ToolError, match="bubblewrap is not installed") as caught:
        CodeInterpreter()
    assert caught.value.code == "no_sandbox"


def test_a_sandbox_that_does_not_start_is_refused_with_its_words(monkeypatch, tmp_path):
    broken = tmp_path / "bwrap"
    broken.write_text("#!/bin/sh\necho no namespaces here >&2\nexit 1\n")
    broken.chmod(0o755)
    tmp_path.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError, match="no namespaces here"):
        CodeInterpreter()


def test_no_sandbox_is_asked_for_by_name():
    with pytest.raises(InvalidInput):
        CodeInterpreter(sandbox="nothing")  # type: ignore[arg-type]
    os.umask(umask := os.umask(0o22))
    with CodeInterpreter(sandbox="none", limits=CodeLimits(kernels_max=1)) as trusted:
        trusted.run("thread", "x = 41")
        result = trusted.run("thread", "import os; open('a.txt', 'w').write('a'); x + 1")
        assert (result.status, result.result) == ("completed", "42"), result.output
        assert result.output["files"] == ["a.txt"]
        assert "SECRET_OF_THE_PARENT" not in trusted.run("thread", "dict(os.environ)").result
        # Modules that it compiles are kept beside their source, where all users read them.
        assert trusted.run("thread", "os.umask(0o22)").result == str(umask)
