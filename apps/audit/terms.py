"""What events are found by: short words in the column `terms`, each matched as a whole.

`a:<action>`, `p:<person's id>`, `r:<request>` and `o:<type>:<id>` stand in the clear, for so do the columns that they
come from. Words of names and values are blind: keyed digests of their beginnings under the key of the event's chain, so
that the column tells nothing once that key is destroyed.
"""

import re
from collections.abc import Iterable, Iterator
from uuid import UUID

WORD = re.compile(r"\w+")
# Of one event, and of one word; a longer word is found by its first twelve letters.
MOST_WORDS = 24
LONGEST_BEGINNING = 12
LONGEST_VALUE = 200


def action_term(code: str) -> str:
    return f"a:{code}"


def person_term(subject: UUID) -> str:
    return f"p:{subject}"


def request_term(request_id: str) -> str:
    return f"r:{request_id}"


def object_term(entity_type: str, entity_id: str) -> str:
    return f"o:{entity_type}:{entity_id}"


def words_of(texts: Iterable[str]) -> list[str]:
    """The words of an event's texts, in small letters, each once; ids are left out."""
    found: dict[str, None] = {}
    for text in texts:
        if len(text) <= LONGEST_VALUE and not is_id(text):
            found.update(dict.fromkeys(WORD.findall(text.casefold())))
    return list(found)[:MOST_WORDS]


def beginnings(word: str) -> Iterator[str]:
    for length in range(1, min(len(word), LONGEST_BEGINNING) + 1):
        yield word[:length]


def beginning_asked(word: str) -> str:
    """The beginning by which a word of a search is looked up."""
    return word.casefold()[:LONGEST_BEGINNING]


def is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
