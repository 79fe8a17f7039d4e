"""A small server on loopback that speaks the routes of the hub, and makes the mistakes that it is told to make.

Repositories are made of commits (path -> bytes), and names for them. Large files are served as the hub serves them:
their address answers with a redirect to another host, here the same server by another name.
"""

import hashlib
import json
import os
import re
import socket
import struct
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from time import sleep as pause  # tests replace time.sleep
from urllib.parse import parse_qs, unquote, urlsplit

LARGE = (".safetensors", ".bin", ".parquet", ".model")


@dataclass
class Repository:
    """Commits by their hash, branches, tags and converted copies by their name."""

    kind: str = "model"
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    converts: dict[str, str] = field(default_factory=dict)
    is_gated: bool = False

    def add(self, branch: str, files: dict[str, bytes]) -> str:
        """Make a commit of some files and point a branch, or a `refs/convert/...`, to it."""
        digest = hashlib.sha1(branch.encode())
        for name in sorted(files):
            digest.update(name.encode() + files[name])
        commit = digest.hexdigest()
        self.commits[commit] = files
        (self.converts if branch.startswith("refs/convert/") else self.branches)[branch] = commit
        return commit

    def commit_of(self, revision: str) -> str | None:
        names = self.branches | self.tags | self.converts
        return names.get(revision) or (revision if revision in self.commits else None)


@dataclass
class Fault:
    """What to do wrong, and how often, with requests whose path holds `where`.

    status: answer with it, and with Retry-After; cut: reset or close the connection after so many bytes; swap: send
    other bytes of the same number; short: serve a file that ends so many bytes early.
    """

    where: str
    times: int = 1
    method: str = "GET"
    status: int | None = None
    retry_after: str | None = None
    cut: int | None = None
    is_reset: bool = False
    swap: bool = False
    short: int = 0


@dataclass
class Request:
    """One request, as a test looks at it."""

    method: str
    path: str
    range: str | None
    token: str | None
    host: str
    sent: int = 0


class Hub:
    """The server: repositories, faults to come, and requests that came."""

    def __init__(self) -> None:
        self.repos: dict[tuple[str, str], Repository] = {}
        self.faults: list[Fault] = []
        self.requests: list[Request] = []
        self.lies: dict[str, dict] = {}  # by path: what its entry in a tree says instead
        self.named: dict[str, str] = {}  # headers that say so of every file
        self.instead: dict[str, tuple[int, bytes, dict[str, str]]] = {}  # by a part of paths: status, body, headers
        self.lock = Lock()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Handler,), {"hub": self}))
        self.server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        self.elsewhere = f"http://localhost:{self.server.server_port}"
        Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def repository(self, name: str, kind: str = "model") -> Repository:
        return self.repos.setdefault((kind, name), Repository(kind))

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def fault(self, method: str, path: str) -> Fault | None:
        """The fault that this request meets; it is used up."""
        with self.lock:
            for fault in self.faults:
                if fault.times and fault.where in path and fault.method == method:
                    fault.times -= 1
                    return fault
        return None


def is_large(path: str) -> bool:
    return path.endswith(LARGE)


def entry(path: str, content: bytes) -> dict:
    """A file as the list of a tree shows it."""
    oid = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    shown = {"type": "file", "path": path, "size": len(content), "oid": oid}
    if is_large(path):
        shown["lfs"] = {"oid": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 130}
    return shown


class Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        self.answer()

    def do_POST(self) -> None:
        self.answer()

    def answer(self) -> None:
        url = urlsplit(self.path)
        path = unquote(url.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        token = self.headers.get("Authorization")
        self.request_log = Request(self.command, path, self.headers.get("Range"), token, self.headers["Host"])
        with self.hub.lock:
            self.hub.requests.append(self.request_log)
        self.fault = self.hub.fault(self.command, path)
        if self.fault and self.fault.status:
            more = {"Retry-After": self.fault.retry_after} if self.fault.retry_after else {}
            return self.send(self.fault.status, b"busy", more)
        for part, (status, content, headers) in self.hub.instead.items():
            if part in path:
                return self.send(status, content, headers)
        if match := re.fullmatch(r"/cdn/([0-9a-f]{64})", path):
            return self.send_large(match[1])
        if match := re.fullmatch(r"/api/(model|dataset)s/([^/]+/[^/]+)(/.*)?", path):
            return self.answer_api(match[1], match[2], match[3] or "", body, parse_qs(url.query))
        if match := re.fullmatch(r"/(datasets/)?([^/]+/[^/]+)/resolve/(.+)", path):
            return self.answer_resolve("dataset" if match[1] else "model", match[2], match[3])
        if match := re.fullmatch(
            r"/raw/([^/]+/[^/]+)/([0-9a-f]{40})/(.+)", path
        ):  # as GitHub serves a file of a commit
            repo = self.hub.repos.get(("github", match[1]), Repository())
            content = repo.commits.get(match[2], {}).get(match[3])
            return self.send(404, b"404: Not Found") if content is None else self.send(200, content)
        return self.send(404, b"")

    def repository(self, kind: str, name: str) -> Repository | None:
        """The repository, unless it is to be refused, which is then done."""
        found = self.hub.repos.get((kind, name))
        if found is None:
            self.send(404, b"", {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"})
        elif found.is_gated and not self.headers.get("Authorization"):
            self.send(403, b"", {"X-Error-Code": "GatedRepo", "X-Error-Message": f"Access to {name} is restricted"})
            return None
        return found

    def answer_api(self, kind: str, name: str, rest: str, body: bytes, query: dict) -> None:
        repo = self.repository(kind, name)
        if repo is None:
            return
        if rest == "/refs":
            return self.send_json(
                {
                    "branches": [ref(f"refs/heads/{n}", n, c) for n, c in repo.branches.items()],
                    "tags": [ref(f"refs/tags/{n}", n, c) for n, c in repo.tags.items()],
                    "converts": [ref(n, n.removeprefix("refs/convert/"), c) for n, c in repo.converts.items()],
                }
            )
        action, _, rest = rest.lstrip("/").partition("/")
        revision, path = ("main", "") if not rest else self.split(repo, rest)
        commit = repo.commit_of(revision)
        if commit is None:
            return self.send(404, b"", {"X-Error-Code": "RevisionNotFound"})
        files = repo.commits[commit]
        if action == "tree":
            return self.send_tree(files, path, is_recursive=query.get("recursive") == ["True"] or "true" in str(query))
        if action == "paths-info":
            asked = parse_qs(body.decode()).get("paths", [])
            return self.send_json(paths_info(files, asked))
        return self.send_json({"id": name, "sha": commit, "siblings": [{"rfilename": file} for file in sorted(files)]})

    def split(self, repo: Repository, rest: str) -> tuple[str, str]:
        """A revision, which may hold slashes, and the path after it."""
        names = [*repo.branches, *repo.tags, *repo.converts, *repo.commits]
        for name in sorted(names, key=len, reverse=True):
            if rest == name or rest.startswith(f"{name}/"):
                return name, rest[len(name) + 1 :]
        return rest.partition("/")[0], rest.partition("/")[2]

    def send_tree(self, files: dict[str, bytes], path: str, *, is_recursive: bool) -> None:
        below = {file: content for file, content in files.items() if not path or file.startswith(f"{path}/")}
        if path and not below:
            return self.send(404, b"", {"X-Error-Code": "EntryNotFound"})
        shown, folders = [], {}
        for file, content in sorted(below.items()):
            inner = file[len(path) + 1 :] if path else file
            parents = [file[: len(file) - len(inner) + spot.start()] for spot in re.finditer("/", inner)]
            folders |= dict.fromkeys(parents if is_recursive else parents[:1])
            if is_recursive or "/" not in inner:
                shown.append(entry(file, content) | self.hub.lies.get(file, {}))
        return self.send_json([{"type": "directory", "path": p, "size": 0, "oid": "0" * 40} for p in folders] + shown)

    def answer_resolve(self, kind: str, name: str, rest: str) -> None:
        repo = self.repository(kind, name)
        if repo is None:
            return
        revision, path = self.split(repo, rest)
        commit = repo.commit_of(revision)
        if commit is None:
            return self.send(404, b"", {"X-Error-Code": "RevisionNotFound"})
        content = repo.commits[commit].get(path)
        if content is None:
            return self.send(404, b"", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": commit})
        if is_large(path):
            digest = hashlib.sha256(content).hexdigest()
            linked = {"X-Linked-Size": str(len(content)), "X-Linked-ETag": f'"{digest}"', "X-Repo-Commit": commit}
            return self.send(302, b"", linked | {"Location": f"{self.hub.elsewhere}/cdn/{digest}"} | self.hub.named)
        named = {"ETag": f'"{entry(path, content)["oid"]}"', "X-Repo-Commit": commit} | self.hub.named
        return self.send(200, content, named)

    def send_large(self, digest: str) -> None:
        contents = (c for repo in self.hub.repos.values() for files in repo.commits.values() for c in files.values())
        content = next(c for c in contents if hashlib.sha256(c).hexdigest() == digest)
        if self.fault and self.fault.swap:
            content = bytes(255 - byte for byte in content)
        content = content[: len(content) - (self.fault.short if self.fault else 0)]
        start = int(match[1]) if (match := re.match(r"bytes=(\d+)-", self.headers.get("Range") or "")) else 0
        if start >= len(content):
            return self.send(416, b"", {"Content-Range": f"bytes */{len(content)}"})
        more = {"Accept-Ranges": "bytes", "ETag": f'"{digest}"'}
        if start:
            more["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        return self.send(206 if start else 200, content[start:], more)

    def send_json(self, value: object) -> None:
        self.send(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def send(self, status: int, content: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        cut = self.fault.cut if self.fault else None
        self.request_log.sent = len(content[:cut])
        self.wfile.write(content[:cut])
        if cut is not None:
            self.wfile.flush()
            self.close_connection = True
            if self.fault.is_reset:
                pause(0.2)  # the client has read what was sent, before the connection goes
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                os.close(self.connection.detach())


def ref(full: str, name: str, commit: str) -> dict[str, str]:
    return {"ref": full, "name": name, "targetCommit": commit}


def paths_info(files: dict[str, bytes], asked: list[str]) -> list[dict]:
    """Files and folders of those that are asked for."""
    found = [entry(path, files[path]) for path in asked if path in files]
    folders = [path for path in asked if any(file.startswith(f"{path}/") for file in files)]
    return found + [{"type": "directory", "path": path, "size": 0, "oid": "0" * 40} for path in folders]
