"""Patterns that name the group of a path: PostgreSQL's regular expressions, without what can make them slow.

The database matches by automata, in time proportional to the path, as long as a pattern has no references back, looks
neither ahead nor behind, and repeats nothing that it must cut out. So these are refused, and repetitions are counted.
"""

import re

MOST_CHARACTERS = 200
#: Of all counted repetitions together, as if each stood inside the next.
MOST_REPEATS = 100
COUNTED = re.compile(r"\{([0-9]{1,9})(?:,([0-9]{0,9}))?\}")
QUANTIFIERS = "*+?{"


class BadPattern(ValueError):
    """The pattern is refused; `code` says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def check_pattern(pattern: str) -> None:
    """Raises `BadPattern`. Whether the rest is a regular expression at all the database says."""
    if not pattern or len(pattern) > MOST_CHARACTERS or not pattern.isprintable():
        raise BadPattern("characters")
    if pattern.startswith("***"):
        raise BadPattern("special")
    groups = _walked(pattern)
    if groups > 1:
        raise BadPattern("groups")


def _walked(pattern: str) -> int:
    """How many parts are cut out. Raises `BadPattern` for what is not allowed."""
    position, groups, repeats = 0, 0, 1
    inside: list[bool] = []  # of each open parenthesis: whether it is cut out
    while position < len(pattern):
        character = pattern[position]
        if character == "\\":
            if pattern[position + 1 : position + 2].isdigit():
                raise BadPattern("special")
            position += 2
            continue
        if character == "[":
            position = _behind_bracket(pattern, position)
            continue
        if character == "(":
            special = pattern[position + 1 : position + 2] == "?"
            if special and pattern[position + 2 : position + 3] != ":":
                raise BadPattern("special")
            if not special and inside:
                # It might be repeated with what is around it.
                raise BadPattern("groups")
            inside.append(not special)
            groups += not special
            position += 3 if special else 1
            continue
        if character == ")" and inside and inside.pop() and pattern[position + 1 : position + 2] in (*QUANTIFIERS,):
            raise BadPattern("groups")
        if character == "{":
            repeats *= _count(COUNTED.match(pattern, position))
            if repeats > MOST_REPEATS:
                raise BadPattern("repeats")
        position += 1
    return groups


def _behind_bracket(pattern: str, position: int) -> int:
    """The place behind a set of characters: a bracket right at its beginning is one of them."""
    position += 2 if pattern[position + 1 : position + 2] == "^" else 1
    if pattern[position : position + 1] == "]":
        position += 1
    while position < len(pattern) and pattern[position] != "]":
        if pattern[position] == "\\":
            position += 1
        elif pattern[position] == "[" and pattern[position + 1 : position + 2] in (":", ".", "="):
            end = pattern.find(pattern[position + 1] + "]", position + 2)
            position = end + 1 if end > 0 else len(pattern)
        position += 1
    return position + 1


def _count(found: re.Match[str] | None) -> int:
    if found is None:
        raise BadPattern("repeats")
    return max(int(number) for number in (*found.groups(), 1) if number)
