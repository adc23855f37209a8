"""``encyclopedia``: a seeded grammar that writes encyclopedia-like articles, and knows its language.

``encyclopedia-other`` is a smaller one with another vocabulary and other plans, for what adapts to new text.

>>> next(articles(1, seed=0)).kind in kinds()
True
"""

from zonkey.data.encyclopedia.articles import (
    SOURCES,
    Article,
    Entropy,
    article,
    articles,
    entropy_per_character,
    is_sentence,
    kinds,
    pieces,
    recogniser,
    vocabulary,
)

__all__ = [
    "SOURCES",
    "Article",
    "Entropy",
    "article",
    "articles",
    "entropy_per_character",
    "is_sentence",
    "kinds",
    "pieces",
    "recogniser",
    "vocabulary",
]
