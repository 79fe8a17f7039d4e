"""Retry requests while the hub is busy, and explain errors in plain words.

huggingface_hub retries some of its requests, for some seconds, without jitter, and others not at all (2.4.0:
`list_repo_refs` asks once and without a time limit; a 5xx or a reset connection during a download ends it). A hub that
turns away says when to come back, and hundreds of jobs that were turned away together must not come back together.
"""

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx2
from huggingface_hub import constants, set_client_factory
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import parse_ratelimit_headers
from huggingface_hub.utils._http import default_client_factory  # the library has no public one with its own hooks

from ripeness.hub.target import Target
from ripeness.runtime.errors import UserError

logger = logging.getLogger(__name__)

ATTEMPTS = 6
ATTEMPTS_TO_CONNECT = 2  # where nobody answers at all; most calls of the library have tried for half a minute by then
FIRST_WAIT_S = 1.0  # doubled with every attempt
MOST_WAIT_S = 900.0  # the hub counts requests in windows of five minutes
JITTER = 0.5  # up to this share of the wait is added
SILENCE_S = 60.0  # a server that says nothing for so long is taken for gone
NAMING = ("ETag", "X-Linked-ETag", "X-Repo-Commit")
MOST_ANSWERS = 20_000  # to one request of a list, page by page
BUSY = {408, 425, 429, 500, 502, 503, 504}
DISK = "make room, or set HF_HOME to a folder on a larger disk; what is there already stays"


_left = threading.local()  # how many answers may still come, while a list is read


class Damaged(Exception):
    """A file that differs from the hub's list; another attempt may help."""


# Each cause with its reason and hint; the first kind that fits counts.
CAUSES: tuple[tuple[type[BaseException], str, str], ...] = (
    (
        RepositoryNotFoundError,
        "there is no such repository, or it is private",
        "check the name; for a private one set HF_TOKEN or run `hf auth login`",
    ),
    (
        RevisionNotFoundError,
        "the repository has no such revision",
        "its page lists them; if one was moved or removed: make resolve UPDATE=1 STUDY=<the study's file>",
    ),
    (EntryNotFoundError, "a file is missing: {said}", "check the name and the revision"),
    (
        OfflineModeIsEnabled,
        "HF_HUB_OFFLINE is set and it is not in the cache",
        "fetch on a machine with network: make study, or snakemake prepare, there",
    ),
    (Damaged, "{all}", "the hub or a mirror (HF_ENDPOINT) serves a damaged file; try again later, or another mirror"),
    (
        httpx2.TransportError,
        "{server} cannot be reached: {said}",
        "fetching needs the network (on a cluster the login node); HF_ENDPOINT names a mirror, `path` a folder",
    ),
)


def client() -> httpx2.Client:
    """Make the library's client, with a timeout for a silent server."""
    made = default_client_factory()
    made.timeout = httpx2.Timeout(SILENCE_S)
    made.event_hooks = made.event_hooks | {"response": [*made.event_hooks["response"], check_headers]}
    return made


def check_headers(answer: httpx2.Response) -> None:
    """Refuse an answer with a name that would lead out of the cache: the library calls files by what these say.

    And a list of more pages than any has, since each page says where the next one is.
    """
    if (left := getattr(_left, "answers", None)) is not None:
        _left.answers = left - 1
        if left == 0:
            raise misled(str(answer.url.copy_with(query=None)), f"its list has more than {MOST_ANSWERS:,} pages")
    for name in NAMING:
        value = answer.headers.get(name, "").removeprefix("W/").strip('"')
        if value and ("/" in value or not is_inner(value)):
            raise misled(str(answer.url.copy_with(query=None)), f"it answers {name}: {value[:80]!r}")


@contextmanager
def as_a_hub_answers(target: Target) -> Iterator[None]:
    """Turn what the library raises where an answer is no list of a hub, such as a page to log in, into one error."""
    _left.answers = MOST_ANSWERS
    try:
        yield
    except (LookupError, TypeError, AttributeError, RecursionError, httpx2.InvalidURL) as error:
        raise misled(target, f"its answer cannot be read: {type(error).__name__}: {first_line(error)[:80]}") from error
    finally:
        _left.answers = None


def is_inner(path: str) -> bool:
    """Tell whether a path of a repository stays within it, on any system."""
    parts = path.split("/")
    return not {"", ".", ".."} & set(parts) and not any(sign in path for sign in "\\\0")


def misled(what: Target | str, why: str) -> UserError:
    """Make the error for an answer that no hub gives."""
    return UserError(
        f"{what} cannot be fetched: {why}\nhint: this is not an answer of a hub; check HF_ENDPOINT, "
        f"which is {constants.ENDPOINT}"
    )


set_client_factory(client)


def patiently(target: Target, ask: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """Call `ask` until it answers, at most ATTEMPTS times. Raises UserError that names the target if it does not."""
    for attempt in range(ATTEMPTS):
        try:
            return ask(*arguments, **options)
        except (OSError, httpx2.HTTPError, Damaged, RuntimeError, ValueError) as error:
            wait = waiting_time(error, attempt)
            if wait is None or attempt + 1 == ATTEMPTS:
                raise refusal(target, error) from error
            logger.warning("%s: %s; again in %.0f s", target, first_line(cause_of(error)), wait)
            time.sleep(wait)
    raise AssertionError("unreachable")


def chain(error: BaseException) -> Iterator[BaseException]:
    """Return an error, and those that led to it: libraries wrap what the hub said in errors of their own."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__


def cause_of(error: BaseException) -> BaseException:
    """Make the error that says most: what the hub answered, or how the connection failed."""
    kinds = (Damaged, HfHubHTTPError, httpx2.TransportError, OfflineModeIsEnabled)
    return next((part for part in chain(error) if isinstance(part, kinds)), error)


def waiting_time(error: BaseException, attempt: int) -> float | None:
    """Choose the seconds to wait before the next attempt; None if another attempt cannot help."""
    cause = cause_of(error)
    if isinstance(cause, httpx2.ConnectError) and attempt + 1 >= ATTEMPTS_TO_CONNECT:
        return None
    busy = cause if isinstance(cause, HfHubHTTPError) and cause.response.status_code in BUSY else None
    is_broken = isinstance(cause, (httpx2.TransportError, Damaged)) and not isinstance(cause, httpx2.ProxyError)
    if not busy and not is_broken and "Consistency check failed" not in str(cause):
        return None
    wanted = asked_wait(busy.response.headers) if busy else None
    wait = FIRST_WAIT_S * 2**attempt if wanted is None else wanted
    return min(MOST_WAIT_S, wait) * (1 + JITTER * random.random())


def asked_wait(headers: httpx2.Headers) -> float | None:
    """Read how long the hub asks to wait: Retry-After in seconds or as a date, or the end of a rate limit's window."""
    limit = parse_ratelimit_headers(headers)
    if limit is not None and limit.remaining == 0:
        return float(limit.reset_in_seconds)
    text = headers.get("Retry-After", "").strip()
    if text.isdigit():
        return float(text)
    try:
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return None


def first_line(error: BaseException) -> str:
    """Return the first line of an error."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


def refusal(target: Target, error: BaseException) -> UserError:
    """Make the error for what cannot be fetched: the reason, and what the user can do."""
    reason, advice = explained(target, error)
    return UserError(f"{target} cannot be fetched: {reason}\nhint: {advice}")


def explained(target: Target, error: BaseException) -> tuple[str, str]:
    """Explain an error: the reason and a hint."""
    cause = cause_of(error)
    if isinstance(cause, GatedRepoError):
        return "its owner grants access on request only", f"agree to its terms at {target.page}, then set HF_TOKEN"
    for kind, reason, advice in CAUSES:
        if isinstance(cause, kind):
            return reason.format(said=first_line(cause), all=cause, server=target.server), advice
    if isinstance(cause, HfHubHTTPError) and cause.response.status_code in BUSY:
        return (
            f"the server keeps answering {cause.response.status_code}",
            "run it again later, files that have arrived are kept; with HF_TOKEN more requests are allowed",
        )
    if any("No space left" in str(part) or "Disk quota" in str(part) for part in chain(error)):
        return first_line(error), DISK
    return (
        first_line(cause),
        "fetching needs the network; without one, name files on disk with `path` or `source`",
    )
