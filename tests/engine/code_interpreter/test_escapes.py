"""Nothing leaves the sandbox: each way out is tried, ends clearly, and the next call works."""

import os
import select
import signal
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.engine.code_interpreter.conftest import SECRET, SMALL


def run(interpreter, code, thread="escapes"):
    """Run code, see that the next call of the thread works, and return the first result."""
    result = interpreter.run(thread, textwrap.dedent(code))
    after = interpreter.run(thread, "6 * 7")
    assert (after.status, after.result) == ("completed", "42"), after.output
    return result


def refused(interpreter, code):
    """Run code, and return the name of the error that ends it."""
    result = run(interpreter, code)
    assert result.status == "failed", result.output
    return result.error.name


# -- what is not there -----------------------------------------------------------------------------


def test_no_socket_reaches_the_host(interpreter):
    result = run(
        interpreter,
        """
        import socket
        for family, address in (
            (socket.AF_INET, ("1.1.1.1", 53)),
            (socket.AF_INET6, ("2606:4700:4700::1111", 53)),
            (socket.AF_VSOCK, (2, 1024)),
            (socket.AF_PACKET, ("lo", 0)),
        ):
            try:
                end = socket.socket(family, socket.SOCK_STREAM)
                end.settimeout(2)
                end.connect(address)
                print("connected", address)
            except OSError as error:
                print(error.errno)
        """,
    )
    assert "connected" not in result.stdout
    assert result.stdout.split() == ["101", "101", "97", "97"]


def test_a_server_of_the_host_is_not_on_the_loopback_of_the_sandbox(interpreter):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        code = f"import socket; socket.create_connection(('127.0.0.1', {port}), 2)"
        assert refused(interpreter, code) == "ConnectionRefusedError"


def test_neither_files_nor_environment_of_the_parent_are_seen(interpreter, tmp_path):
    assert os.environ["SECRET_OF_THE_PARENT"] == SECRET
    (tmp_path / "secret.txt").write_text(SECRET)
    result = run(
        interpreter,
        f"""
        import glob, os
        for name in [{str(tmp_path / "secret.txt")!r}, *glob.glob("/proc/*/environ"),
                     *glob.glob("/proc/*/cmdline"), *glob.glob("/proc/*/task/*/environ")]:
            try:
                if {SECRET[:6]!r} + {SECRET[6:]!r} in open(name, errors="replace").read():
                    print("found in", name)
            except OSError:
                pass
        print(sorted(os.listdir("/")), os.path.exists({str(tmp_path)!r}))
        print([os.path.exists(n) for n in ("/etc/shadow", "/etc/hostname", "/var", "/run")])
        """,
    )
    assert result.status == "completed", result.output
    assert "found" not in result.stdout
    assert result.stdout.endswith("False\n[False, False, False, False]\n")


def test_the_system_is_read_only(interpreter):
    result = run(
        interpreter,
        """
        import sys
        for place in ("/usr/x", "/etc/x", "/x", "/dev/x", "/proc/sys/kernel/core_pattern",
                      "/proc/sysrq-trigger", sys.prefix + "/x"):
            try:
                open(place, "w")
                print("wrote", place)
            except OSError:
                pass
        """,
    )
    assert (result.status, result.stdout) == ("completed", "")


def test_no_process_of_the_host_is_seen_or_killed(interpreter):
    bystander = subprocess.Popen(["sleep", "60"])
    try:
        result = run(
            interpreter,
            f"""
            import os
            print(len([name for name in os.listdir("/proc") if name.isdigit()]))
            for pid in ({bystander.pid}, {os.getpid()}):
                try:
                    os.kill(pid, 9)
                    print("killed")
                except OSError as error:
                    print(type(error).__name__)
            """,
        )
        assert result.stdout.split()[1:] == ["ProcessLookupError"] * 2
        assert int(result.stdout.split()[0]) <= 3
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_killing_all_it_can_kills_only_itself(interpreter):
    result = run(
        interpreter,
        """
        import os, subprocess
        subprocess.Popen(["sleep", "60"])
        os.kill(-1, 9)
        os.kill(os.getpid(), 9)
        """,
    )
    assert result.status == "failed"
    assert "variables and files of earlier calls are gone" in result.note


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("ptrace", "libc.ptrace(16, 1, 0, 0)"),
        ("unshare", "libc.unshare(0x10000000)"),
        ("mount", "libc.mount(b'x', b'/data', b'tmpfs', 0, None)"),
        ("keyctl", "libc.syscall(250, 0, 0, 0)"),
        ("io_uring_setup", "libc.syscall(425, 1, 0)"),
        ("bpf", "libc.syscall(321, 0, 0, 0)"),
        ("shmget", "libc.shmget(0, 4096, 0o1600)"),
        ("memfd_create", "libc.memfd_create(b'x', 0)"),
        ("clone", "libc.syscall(56, 0x10000011, 0, 0, 0, 0)"),
        ("setuid", "libc.setuid(0)"),
        ("chroot", "libc.chroot(b'/tmp')"),
    ],
)
def test_a_forbidden_system_call_is_refused(interpreter, name, call):
    code = f"import ctypes; libc = ctypes.CDLL(None, use_errno=True); {call}, ctypes.get_errno()"
    result = interpreter.run("calls", code)
    # EPERM, ENOSYS, or EINVAL for a user that the namespace does not know
    assert result.result in {"(-1, 1)", "(-1, 38)", "(-1, 22)"}, (name, result.output)


# -- what is limited -------------------------------------------------------------------------------


def test_a_fork_bomb_ends(impatient):
    result = run(
        impatient,
        """
        import os
        while True:
            try:
                os.fork()
            except OSError:
                pass
        """,
    )
    assert result.status == "failed"


def test_processes_and_threads_are_few(interpreter):
    result = run(
        interpreter,
        """
        import subprocess
        started = []
        try:
            for _ in range(200):
                started.append(subprocess.Popen(["sleep", "100"]))
        except OSError as error:
            print(len(started) < 40, type(error).__name__)
        """,
    )
    assert result.stdout == "True BlockingIOError\n"


def test_memory_of_one_process_is_limited_and_the_kernel_lives_on(interpreter):
    interpreter.run("memory", "kept = 1")
    code = "rows = []\nwhile True:\n    rows.append(bytearray(10_000_000))"
    result = interpreter.run("memory", code)
    assert result.error is not None, result.output
    assert (result.status, result.error.name) == ("failed", "MemoryError")
    assert interpreter.run("memory", "del rows; kept").result == "1"


def test_memory_of_many_processes_counts_together(interpreter):
    result = run(
        interpreter,
        """
        import os, time
        for _ in range(8):
            if os.fork() == 0:
                held = bytearray(b"x") * 100_000_000
                time.sleep(60)
        time.sleep(60)
        """,
    )
    assert result.status == "failed"
    assert "used more than 400 MiB of memory" in result.note, result.output


def test_a_full_disk_is_full_for_the_code_alone(interpreter):
    result = run(
        interpreter,
        """
        import os
        for place in ("/data", "/tmp", "/dev/shm"):
            try:
                for n in range(100):
                    with open(f"{place}/x{n}", "wb") as file:
                        file.write(bytes(1_000_000))
                print("wrote 100 MB")
            except OSError as error:
                print(error.errno)
            for n in range(100):
                try:
                    os.unlink(f"{place}/x{n}")
                except OSError:
                    pass
        """,
    )
    assert result.stdout.split() == ["28", "28", "28"], result.output


@pytest.mark.long
def test_too_many_files_end_the_kernel(interpreter):
    result = run(interpreter, "for n in range(10_000_000): open(f'f{n}', 'w').close()")
    assert result.status == "failed"
    assert "made more than 500 files" in result.note


def test_endless_output_is_stopped(interpreter):
    result = run(interpreter, "while True: print('x' * 1000)")
    assert result.status == "failed"
    assert "showed more than 256 KiB" in result.note
    assert len(result.stdout) <= SMALL.output_bytes_max + 20


def test_much_output_is_cut_off(interpreter):
    result = run(interpreter, "print('x' * 100_000)")
    assert result.status == "completed"
    assert result.stdout.endswith("(cut off)")
    assert len(result.stdout) <= SMALL.output_bytes_max + 20


@pytest.mark.parametrize(
    "shown",
    [
        pytest.param("display(HTML('x' * 10_000))", id="no text"),
        pytest.param("display(HTML('x' * 10_000), display_id='a', update=True)", id="an update"),
        pytest.param("kernel.session.send(kernel.iopub_socket, 'x' * 10_000, {})", id="another's"),
    ],
)
def test_whatever_is_shown_counts(interpreter, shown):
    code = "from IPython.display import HTML, display\nkernel = get_ipython().kernel\n"
    result = run(interpreter, f"{code}while True: {shown}")
    assert result.status == "failed", result.output
    assert "showed more than 256 KiB" in result.note


def test_one_message_that_is_too_large_ends_the_kernel(interpreter):
    """It is not read at all, and what comes after it is lost."""
    result = run(interpreter, "print('x' * 40_000_000)")
    assert (result.status, result.stdout) == ("failed", "")
    assert result.note.startswith("The code was stopped: it showed more at once than is read. All")


@pytest.mark.long
def test_output_of_child_processes_counts_too(interpreter):
    result = run(interpreter, "import subprocess; subprocess.run(['yes'])")
    assert result.status == "failed"
    assert "showed more than 256 KiB" in result.note


# -- what is left behind ---------------------------------------------------------------------------


def test_links_out_of_the_folder_lead_nowhere(interpreter):
    result = run(
        interpreter,
        """
        import os
        os.symlink("/etc/shadow", "shadow.txt")
        os.symlink("/etc/passwd", "passwd.txt")
        os.symlink("/proc/1/root/etc", "folder")
        os.mkfifo("pipe.txt")
        """,
    )
    assert (result.status, result.artifacts) == ("completed", ())


def test_a_daemon_does_not_survive_the_call(interpreter):
    forks = """
        import os
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                import time
                while True:
                    with open("/data/beat", "a") as file:
                        file.write("x")
                    time.sleep(0.001)
            os._exit(0)
    """
    tries = (interpreter.run("daemon", textwrap.dedent(forks)) for _ in range(10))
    # Processes of a bomb may still be ending, and share a user with this one.
    assert any(result.status == "completed" for result in tries)
    code = """
        import glob
        names = [open(name).read().split(") ") for name in glob.glob("/proc/[0-9]*/stat")]
        sum(state[0] != "Z" for _, state in names)  # a zombie does nothing
    """
    assert interpreter.run("daemon", textwrap.dedent(code)).result == "2"  # the first, and itself


@pytest.mark.long
def test_threads_of_a_kernel_rest_between_calls(interpreter):
    code = """
    import threading
    beats = [0]
    def beat():
        while True:
            beats[0] += 1
    threading.Thread(target=beat, daemon=True).start()
    """
    interpreter.run("threads", textwrap.dedent(code))
    ticks = cpu_ticks(interpreter, "threads")
    interpreter.run("another", "sum(range(10_000_000))")
    assert cpu_ticks(interpreter, "threads") == ticks
    interpreter.run("threads", "import os; os._exit(0)")


def cpu_ticks(interpreter, thread):
    pid = interpreter.process_of(thread)
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[11:13]


@pytest.mark.parametrize(
    "ignoring",
    [
        "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass",
        pytest.param(
            "import signal; signal.signal(signal.SIGINT, print)\nwhile True: pass",
            marks=pytest.mark.long,
        ),
        pytest.param(
            "import os, signal; os.kill(os.getpid(), signal.SIGSTOP)", marks=pytest.mark.long
        ),
    ],
    ids=["ignored", "caught", "stopped"],
)
def test_a_kernel_that_ignores_interrupts_is_ended(impatient, ignoring):
    result = run(impatient, ignoring)
    assert result.status == "failed"
    assert "took longer than 0.5 s" in result.note
    assert "are gone" in result.note


@pytest.mark.long
def test_nothing_outlives_the_application():
    """A parent that is killed takes its kernels with it."""
    program = textwrap.dedent(
        """
        from eventstore.engine.tools.code_interpreter import CodeInterpreter
        interpreter = CodeInterpreter()
        interpreter.run("t", "1")
        print(interpreter.process_of("t"), flush=True)
        input()
        """
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    kernel = int(parent.stdout.readline())
    end = os.pidfd_open(kernel)
    parent.send_signal(signal.SIGKILL)
    parent.communicate()
    assert select.select([end], [], [], 10)[0], "the kernel lives on"
    os.close(end)
