"""YAML as data and nothing else: mappings, lists and strings, from a bounded text.

Built on the parser's events, so that no constructor ever runs. Anchors, aliases, tags, second documents and repeated
keys are refused with their line. Every scalar stays the string that was written: a class named `no` stays `no`.
"""

from dataclasses import dataclass, field
from typing import Any

import yaml

from apps.datasets.defects import BadInput

LONGEST = 256 * 1024
DEEPEST = 16
NODES = 20_000
IMPLIED_TAGS = (None, "!")

Node = str | list[Any] | dict[str, Any]


@dataclass(slots=True)
class _Frame:
    node: list[Any] | dict[str, Any]
    key: str | None = None
    lines: dict[str, int] = field(default_factory=dict)


def load(text: str, path: str) -> tuple[Node, dict[str, int]]:
    """Return the document and the line of every key of its outermost mapping. Raises BadInput with the line."""
    if len(text) > LONGEST:
        raise BadInput("text.too_big", path, bytes=len(text), limit=LONGEST)
    root: Node = ""
    top_lines: dict[str, int] = {}
    stack: list[_Frame] = []
    documents = nodes = 0
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            line = event.start_mark.line + 1 if event.start_mark else 1
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise BadInput("yaml.invalid", path, line, detail="more than one document")
            if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
                raise BadInput("yaml.alias", path, line)
            tag = getattr(event, "tag", None)
            if tag not in IMPLIED_TAGS:
                raise BadInput("yaml.tag", path, line, tag=tag)
            if isinstance(event, yaml.CollectionEndEvent):
                stack.pop()
            if not isinstance(event, yaml.NodeEvent):
                continue
            nodes += 1
            if nodes > NODES:
                raise BadInput("yaml.too_long", path, line, limit=NODES)
            node: Node = _node(event)
            if stack:
                _attach(stack[-1], node, path, line)
                if len(stack) == 1:
                    top_lines = stack[0].lines
            else:
                root = node
            if not isinstance(node, str):
                stack.append(_Frame(node))
                if len(stack) > DEEPEST:
                    raise BadInput("yaml.too_deep", path, line, limit=DEEPEST)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise BadInput(
            "yaml.invalid", path, mark.line + 1 if mark else None, detail=error.problem or error.context
        ) from None
    except yaml.YAMLError:
        raise BadInput("yaml.invalid", path, detail="unreadable characters") from None
    return root, top_lines


def _node(event: yaml.NodeEvent) -> Node:
    if isinstance(event, yaml.ScalarEvent):
        return str(event.value)
    return {} if isinstance(event, yaml.MappingStartEvent) else []


def _attach(frame: _Frame, node: Node, path: str, line: int) -> None:
    """Put `node` into the open collection: into a list, or as a mapping's next key or value."""
    if isinstance(frame.node, list):
        frame.node.append(node)
    elif frame.key is None:
        if not isinstance(node, str):
            raise BadInput("yaml.invalid", path, line, detail="a key that is not a word")
        if node in frame.node:
            raise BadInput("yaml.duplicate_key", path, line, key=node)
        frame.key = node
        frame.lines[node] = line
    else:
        frame.node[frame.key] = node
        frame.key = None
