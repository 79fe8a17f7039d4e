"""Read YAML strictly: refuse what YAML 1.1 would silently read as something else, and bound the time."""

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import yaml

from ripeness.runtime.errors import UserError

Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the first is there where PyYAML was built with libyaml
MOST_CHARACTERS = 10_000_000  # in a file
MOST_VALUES = 200_000  # in a file, with those of every alias
MOST_DEEP = 40  # values within values
TAG = "tag:yaml.org,2002:"
KNOWN_TAGS = {f"{TAG}{name}" for name in ("null", "bool", "int", "float", "timestamp", "str", "seq", "map", "merge")}
THOUSANDS = re.compile(r"[-+]?\d{1,3}(_\d{3})+(\.\d*)?")
BASES = {"0x": ("hexadecimal", 16), "0b": ("binary", 2)}
TRUTH = {"yes": "true", "on": "true", "no": "false", "off": "false"}  # how YAML 1.1 also writes truth values


def read_yaml(path: Path) -> dict:
    """Read one YAML file that holds a mapping; UserError, with the line, for what may be misread."""
    try:
        value = construct(path, Path(path).read_text(encoding="utf-8-sig"), Loader, check_node)
    except FileNotFoundError:
        raise UserError(f"there is no file {path}\nhint: check the path; it is relative to {Path.cwd()}") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}\nhint: give a file that you may read") from None
    except (yaml.YAMLError, ValueError) as error:
        way = "check the indentation (spaces, no tabs) and the quotes at that line"
        raise UserError(f"{path} is not YAML: {error}\nhint: {way}") from None
    if not isinstance(value, dict):
        raise UserError(f"{path} has no keys\nhint: it must consist of lines `key: value`")
    return value


def construct(path: Path, text: str, kind: Any, look: Callable[[Path, yaml.Node], None] | None = None) -> Any:
    """Read a text with a loader, within bounds; `look` is called with every node first."""
    check_size(path, text)
    loader = kind(text)
    node = loader.get_single_node()
    check_nodes(path, node, look)
    return node and loader.construct_document(node)


def check_read(paths: Iterable[str | Path]) -> None:
    """Refuse YAML files that another reader may have misread."""
    for path in paths:
        if Path(path).suffix != ".json":
            read_yaml(Path(path))


def check_size(path: Path, text: str) -> None:
    """Refuse a file that is too long, or values within values beyond what the reader's own recursion bears."""
    if len(text) > MOST_CHARACTERS:
        raise UserError(f"{path} has {len(text):,} characters\nhint: at most {MOST_CHARACTERS:,} are allowed")
    depth = 0
    for event in yaml.parse(text, Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MOST_DEEP:
                refuse(path, event, f"values stand within values, {depth} deep", f"{MOST_DEEP} are the most")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def check_nodes(path: Path, root: yaml.Node | None, look: Callable[[Path, yaml.Node], None] | None) -> None:
    """Refuse aliases that make a small file a huge or endless one, and what `look` refuses of a node.

    Every node is looked at once, however many aliases name it.
    """
    sizes: dict[int, int] = {}  # id of a node that is done -> values in it, those of aliases included
    open_: set[int] = set()
    waiting = [root] if root else []
    while waiting:
        node = waiting[-1]
        if id(node) in sizes:
            waiting.pop()
            continue
        inside = list(parts(node))
        if id(node) not in open_:
            if look:
                look(path, node)
            open_.add(id(node))
            if new := [part for part in inside if id(part) not in sizes]:
                if any(id(part) in open_ for part in new):
                    refuse(path, node, "an alias stands within what it names", "write out what is meant")
                waiting += new
                continue
        sizes[id(node)] = 1 + sum(sizes[id(part)] for part in inside)
        open_.discard(id(node))
        if sizes[id(node)] > MOST_VALUES:
            refuse(path, node, f"with its aliases this is {sizes[id(node)]:,} values", f"{MOST_VALUES:,} are the most")
        waiting.pop()


def parts(node: yaml.Node) -> Iterator[yaml.Node]:
    """Return the nodes within a node."""
    if isinstance(node, yaml.SequenceNode):
        yield from node.value
    elif isinstance(node, yaml.MappingNode):
        for pair in node.value:
            yield from pair


def check_node(path: Path, node: yaml.Node) -> None:
    """Refuse a key that stands twice in one mapping, and a plain value that YAML 1.1 reads as something else."""
    if node.tag not in KNOWN_TAGS:
        way = 'text goes into quotes: "="' if node.tag == f"{TAG}value" else "remove it; text needs none"
        refuse(path, node, f"the tag {node.tag.replace(TAG, '!!')!r} has no meaning here", way)
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, part in node.value:
            if not isinstance(key, yaml.ScalarNode):
                refuse(path, key, "a key is a list or a mapping", "a key is text")
            if key.value in seen:
                refuse(path, key, f"duplicate key {key.value!r}", "remove one")
            seen.add(key.value)
            if part.tag == f"{TAG}merge":
                refuse(path, part, f"{part.value!r} is a sign of YAML's own", f'text goes into quotes: "{part.value}"')
    elif isinstance(node, yaml.ScalarNode) and node.tag in DOUBTS:
        DOUBTS[node.tag](path, node)


def doubt_number(path: Path, node: yaml.ScalarNode) -> None:
    """Refuse a number that is not the decimal one that stands there."""
    text = node.value
    bare = text.lower().lstrip("+-").replace("_", "")
    if ":" in text:
        refuse(path, node, f"{text} is read to the base of 60, as {value_of(node)}", f'a time is text: "{text}"')
    if bare[:2] in BASES:
        name, _ = BASES[bare[:2]]
        refuse(path, node, f"{text} is read as a {name} number, {value_of(node)}", f'write that, or "{text}" for text')
    if node.tag == f"{TAG}int" and len(bare) > 1 and bare[0] == "0":
        sign = "-" if text.startswith("-") else ""
        meant = f"{sign}{bare.lstrip('0') or '0'}"
        way = f'write {meant}, or "{text}" for text; thousands are 1_000, without a comma'
        refuse(path, node, f"{text} is read as an octal number, {value_of(node)}", way)
    if "_" in text and not THOUSANDS.fullmatch(text):
        refuse(path, node, f"{text} is read as {value_of(node)}", "`_` stands before three digits: 1_000")


def doubt_truth(path: Path, node: yaml.ScalarNode) -> None:
    """Refuse words that YAML 1.1 reads as truth values."""
    if word := TRUTH.get(node.value.lower()):
        refuse(path, node, f"{node.value} is read as {word}", f'write {word}, or "{node.value}" for the word')


def doubt_date(path: Path, node: yaml.ScalarNode) -> None:
    """Refuse what YAML 1.1 reads as a date."""
    refuse(path, node, f"{node.value} is read as a date", f'put it in quotes: "{node.value}"')


def value_of(node: yaml.ScalarNode) -> Any:
    """Return a number as YAML reads it."""
    return yaml.safe_load(yaml.serialize(node))


def refuse(path: Path, node: yaml.Node | yaml.Event, found: str, way: str) -> NoReturn:
    """Make the error that names file and line."""
    raise UserError(f"{path}:{node.start_mark.line + 1}: {found}\nhint: {way}")


DOUBTS: dict[str, Callable[[Path, yaml.ScalarNode], None]] = {
    f"{TAG}int": doubt_number,
    f"{TAG}float": doubt_number,
    f"{TAG}bool": doubt_truth,
    f"{TAG}timestamp": doubt_date,
}
