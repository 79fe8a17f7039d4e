"""Run one program in a child of a warm server (`ripeness.warm`), or plainly where that cannot be had.

`scripts/warm/python` starts this under ``python -S -E`` with the server's socket, the program and its options.
Nothing of the job happens before the child has the whole request, so until then a plain start is safe; later there is
no second start.
"""

# Every job pays for these imports: `socket` and `signal` themselves would double the client's 8 ms.
import _signal as signal
import _socket as socket
import marshal
import os
import sys

PLAIN = 2**31 - 1  # instead of an exit status: the child has done nothing, start plainly
NO_CHILD = 0  # instead of a process id: the workflow is over, start nothing
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
        tell_group(child, signal.SIGTERM)
        print(f"{sys.argv[1]}: lost with the warm server, which ended before it", file=sys.stderr)
        status = 1
    if status == PLAIN:
        start_plainly()
    end(status)


def answer(connection: socket.socket) -> int:
    """The next number from the other side; EOFError if that side has closed."""
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
