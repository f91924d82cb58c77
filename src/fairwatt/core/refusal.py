"""A refusal in words that can be translated: a sentence with places, and what stands in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


class Refusal(ValueError):
    """Something cannot be done as asked. `words` is the sentence as written here, `places` what is filled in."""

    def __init__(self, words: str, **places: object) -> None:
        super().__init__(words % places if places else words)
        self.words = words
        self.places = places


@dataclass(frozen=True)
class Sentence:
    """What was done, in words that can be translated; the quiet twin of Refusal."""

    words: str
    places: Mapping[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.words % self.places if self.places else self.words
