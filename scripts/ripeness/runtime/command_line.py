"""Handle the options and log of every program, report user errors, and record what it used."""

import argparse
import errno
import json
import logging
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from ripeness.runtime.errors import UserError
from ripeness.runtime.file_kinds import Kind
from ripeness.runtime.files import write_json
from ripeness.runtime.made_here import check_file, check_place

NEUTRAL = True  # no number depends on this module, see ripeness.workflow.code_digest

NOTED: dict[str, float] = {}  # what the program says of its own use

MAKE_ROOM = "make room; the next run resumes from here"
NOT_YOURS = "this user may not write there: check whose folder it is"
DISK_HINTS = {  # what the system says, and so every program in every language
    os.strerror(errno.ENOSPC): MAKE_ROOM,
    os.strerror(errno.EDQUOT): f"{MAKE_ROOM}; `quota` or the site's own command shows what is left",
    os.strerror(errno.EROFS): "nothing can be written there: work in another folder, or remount the disk",
    os.strerror(errno.EFBIG): "files may not be so large here: raise the limit (`ulimit -f`), or use another disk",
    os.strerror(errno.EMFILE): "raise the number of files that may be open at one time: `ulimit -n 4096`",
    os.strerror(errno.ENAMETOOLONG): "use shorter names in the study, or a folder with a shorter path",
    os.strerror(errno.EIO): "the disk or its network fails: run again; if this repeats, ask the administrators",
    os.strerror(errno.ESTALE): "the network file system has lost the file: run again",
    os.strerror(errno.ENOTCONN): "the file system is not mounted any more: run again once it is",
    os.strerror(errno.ENOMEM): "the job needs more memory: set fewer jobs at one time, or request more",
    "DefaultCPUAllocator: ": "the job needs more memory: set fewer jobs at one time, or request more",
    # what polars and torch make of a full disk
    "Invalid thrift: transport error": f"is the disk full? {MAKE_ROOM}; a file that was read: delete it",
    "PytorchStreamWriter failed writing": f"is the disk full? {MAKE_ROOM}",
}


def argument_parser(description: str | None) -> argparse.ArgumentParser:
    """Make a parser whose help is the program's docstring and that knows the options common to all programs."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--usage", type=output_file, help="write what the program used (seconds, memory) to this JSON file"
    )
    return parser


def run(main: Callable[[], None]) -> None:
    """Call `main` and end the process: 0 when it worked, 2 with a plain message when the user must act.

    Any other exception is a bug and shows its traceback (status 1).
    """
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(message)s", force=True)
    started, wall = time.process_time(), time.perf_counter()
    try:
        main()
        write_usage(started, wall)
        if sys.stdout:
            sys.stdout.flush()
    except BrokenPipeError as error:
        end_silenced(error)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except Exception as error:
        if not (hint := disk_hint(error)):
            raise
        print(f"error: {error}\nhint: {hint}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("stopped; the next run resumes from here", file=sys.stderr)
        sys.exit(130)


def end_silenced(error: BrokenPipeError) -> NoReturn:
    """End the process as SIGPIPE does: who reads its output, such as `head`, has ended."""
    with suppress(OSError):
        print(f"error: {error}: who reads the output has ended", file=sys.stderr)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # where Python still writes what is left, at the end
    sys.exit(128 + signal.SIGPIPE)


def disk_hint(error: BaseException | str) -> str:
    """Return a hint if an error, or a line of text, says that a disk is full or read-only; else an empty text.

    Libraries in other languages say so in words only, and others hide it behind an error of their own.
    """
    if isinstance(error, str):
        return next((hint for words, hint in DISK_HINTS.items() if words in error), "")
    if isinstance(error, PermissionError):
        return NOT_YOURS
    before = error.__cause__ or error.__context__
    return disk_hint(str(error)) or (disk_hint(before) if before else "")


def write_usage(started: float, wall: float) -> None:
    """Write what the program has used to the file that --usage names, if it does."""
    options, _ = argument_parser(None).parse_known_args([word for word in sys.argv[1:] if word not in ("-h", "--help")])
    if options.usage and os.environ.get("RANK", "0") == "0":  # of several processes the first tells
        write_json(options.usage, usage_since(started, wall), must_last=False)


def usage_since(started: float, wall: float) -> dict[str, float]:
    """Measure seconds and memory of this process.

    `started` (CPU seconds) and `wall` (perf_counter) were read when the program's own work began; what came before
    is start-up: the interpreter and its imports.
    """
    unit = 2**20 if sys.platform == "darwin" else 2**10  # of ru_maxrss: bytes there, kilobytes elsewhere
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    return {
        "startup_cpu_s": round(started, 3),
        "compute_cpu_s": round(time.process_time() - started, 3),
        "wall_s": round(time.perf_counter() - wall, 3),
        "peak_memory_mb": round(peak, 1),
        "peak_cuda_mb": round(peak_cuda_mb(), 1),
    } | NOTED


def note_usage(**seconds: float) -> None:
    """Note seconds of a part of the program's work, by name, which are written with what it used."""
    NOTED.update({name: round(value, 3) for name, value in seconds.items()})


def peak_cuda_mb() -> float:
    """Return the most memory that tensors held on the GPU; 0 without one."""
    torch = sys.modules.get("torch")  # not imported here for the sake of programs that do without
    return torch.cuda.max_memory_allocated() / 2**20 if torch and torch.cuda.is_initialized() else 0.0


def json_option(text: str) -> dict:
    """Read an option's value that is a JSON object."""
    return json_of_kind(text, dict, "object")


def json_list_option(text: str) -> list:
    """Read an option's value that is a JSON list."""
    return json_of_kind(text, list, "list")


def json_of_kind(text: str, kind: type, name: str) -> Any:
    """Read a JSON value that must be of one kind; the error says why it is not."""
    try:
        value = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        value = error
    if not isinstance(value, kind):
        why = (
            f"{value.msg} at character {value.pos}"
            if isinstance(value, json.JSONDecodeError)
            else "that is another kind"
        )
        raise argparse.ArgumentTypeError(
            f"{text!r} is no JSON {name}: {why}\n"
            "hint: names and texts in double quotes, the whole in single ones for the shell: '{\"epochs\": 3}'"
        )
    return value


def existing(text: str) -> Path:
    """Read an option's value that is the path of something there."""
    if not Path(text).exists():
        raise UserError(f"there is no {text}\nhint: check the path; it is relative to {Path.cwd()}")
    return Path(text)


def output_file(text: str) -> Path:
    """Read an option's value that is a file to write. Raises UserError if something is that was not made here."""
    check_file(Path(text))
    return Path(text)


def output_table(columns: Iterable[str]) -> Callable[[str], Path]:
    """Make the reader of an option whose value is a table to write, with these columns, as `output_file` is one."""
    return partial(output_of, ("table", frozenset(columns)))


def output_object(*keys: str) -> Callable[[str], Path]:
    """Make the reader of an option whose value is a JSON object to write, with these keys, as `output_file` is one."""
    return partial(output_of, ("object", frozenset(keys)))


def output_of(kind: Kind, text: str) -> Path:
    """Read an option's value that is a file to write of this kind. Raises UserError if another one is there."""
    check_file(Path(text), kind)
    return Path(text)


def output_folder(text: str) -> Path:
    """Read an option's value that is a folder to write. Raises UserError if something is that was not made here."""
    check_place(Path(text), is_folder=True)
    return Path(text)
