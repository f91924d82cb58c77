"""A refusal in words that can be translated: a sentence with places, and what stands in them."""

from __future__ import annotations


class Refusal(ValueError):
    """Something cannot be done as asked. `words` is the sentence as written here, `places` what is filled in."""

    def __init__(self, words: str, **places: object) -> None:
        super().__init__(words % places if places else words)
        self.words = words
        self.places = places
