"""Run one program in a child of a warm server (`start.py`), or plainly if there is none.

`scripts/warm/python` starts this under ``python -S -E`` with the server's socket, the program and its options.
Nothing of the job happens before the child has the whole request, so until then a plain start is safe. Later it is safe
once the child has gone: a server that is killed takes its children along, and no job leaves half a file. So a server
that dies costs no job.
"""

# Every job pays for these imports: `socket` and `signal` themselves would double the client's 8 ms.
import _signal as signal
import _socket as socket
import marshal
import os
import sys
import time

PLAIN = 2**31 - 1  # instead of an exit status: the child has done nothing, start plainly
NO_CHILD = 0  # instead of a process id: the workflow is over, start nothing
END_S = 60.0  # for a job to have ended after its server: the kernel kills it at once
PATIENCE_S = 120  # for the server to have loaded its libraries (4 s; more on a slow network disk)


def main() -> None:
    """Have the job done and end as it ended: with its exit status, or by the signal that killed it."""
    address = sys.argv.pop(1)
    if any("/dev/fd/" in word for word in sys.argv):
        start_plainly()  # a process substitution of the shell: only descriptors 0, 1 and 2 go to the child
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        umask = os.umask(0o077)
        os.umask(umask)
        request = marshal.dumps(
            {
                "arguments": sys.argv[1:],
                "folder": os.getcwd(),
                "environment": dict(os.environ),
                "umask": umask,
            }
        )
        connection.settimeout(PATIENCE_S)
        connection.connect(address)
        child = answer(connection)
        connection.settimeout(None)
        if child == NO_CHILD:
            sys.exit("not started: the workflow has ended")
        if not 1 < child < PLAIN:  # the end of a child that could not even say its id; a group 1 would be everybody
            start_plainly()
        send(connection, request)
    except (OSError, EOFError, KeyError):
        start_plainly()
    forward_signals(child)
    try:
        status = answer(connection)
    except (OSError, EOFError):
        if has_ended(child):
            print(f"{sys.argv[1]}: the warm server has ended before it: starting again, plainly", file=sys.stderr)
            start_plainly()
        print(f"{sys.argv[1]}: lost with the warm server, which ended before it", file=sys.stderr)
        status = 1
    if status == PLAIN:
        start_plainly()
    end(status)


def answer(connection: socket.socket) -> int:
    """Return the next number from the other side; EOFError if that side has closed."""
    data = connection.recv(4)  # four bytes in a local socket come together
    if len(data) < 4:
        raise EOFError
    return int.from_bytes(data, "little", signed=True)


def send(connection: socket.socket, request: bytes) -> None:
    """Pass the three standard descriptors with the length of the request, then the request."""
    descriptors = b"".join(number.to_bytes(4, sys.byteorder) for number in (0, 1, 2))
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors)]
    connection.sendmsg([len(request).to_bytes(4, "little")], rights)
    connection.sendall(request)


def forward_signals(child: int) -> None:
    """Let what is meant to stop this process stop the job, whose end it then waits for."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, lambda number, _: tell_group(child, number))


def tell_group(child: int, number: int) -> None:
    """Send a signal to the job and to what it started."""
    try:  # noqa: SIM105 (contextlib would cost an import)
        os.killpg(child, number)
    except ProcessLookupError:
        pass


def has_ended(child: int) -> bool:
    """Kill a job without a server, and what it started; whether all have gone before END_S seconds are over."""
    end = time.monotonic() + END_S
    while left := left_of(child):
        for process in left:
            try:  # noqa: SIM105
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                pass
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def left_of(child: int) -> list[int]:
    """List the unfinished processes of a job: of its group, and those that torchrun gives sessions of their own.

    These are started with the words of the job, in its folder.
    """
    found, words = [], [os.fsencode(word) for word in sys.argv[1:]]
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat") as file:
                state, _, group = file.read().rpartition(")")[2].split()[:3]
            with open(f"/proc/{name}/cmdline", "rb") as file:
                is_same = file.read().split(b"\0")[:-1][-len(words) :] == words
            is_same = is_same and os.readlink(f"/proc/{name}/cwd") == os.getcwd()
        except OSError:
            continue  # gone by now, or another user's
        # of an ended process that nobody has asked how it ended only the name is left
        if state not in "ZX" and (int(group) == child or is_same) and int(name) != os.getpid():
            found.append(int(name))
    return found


def start_plainly() -> None:
    """Become the interpreter as if there were no warm server."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)
    os.execv(sys.executable, [sys.executable, *sys.argv[1:]])


def end(status: int) -> None:
    """End as the job did; a shell sees 128 + the signal's number where one killed it."""
    if status < 0:
        if -status != signal.SIGKILL:
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    os._exit(status)


main()
