"""``encyclopedia``: a seeded grammar that writes encyclopedia-like articles, and knows its language.

>>> next(articles(1, seed=0)).kind in kinds()
True
"""

from zonkey.data.encyclopedia.articles import (
    Article,
    Entropy,
    article,
    articles,
    entropy_per_character,
    is_sentence,
    kinds,
    vocabulary,
)

__all__ = [
    "Article",
    "Entropy",
    "article",
    "articles",
    "entropy_per_character",
    "is_sentence",
    "kinds",
    "vocabulary",
]
