"""What was measured, held to what was claimed: the results page and the list of targets, from published metrics.

``page.yaml`` says what is on the page; nothing in it or in the code is a result.
"""

from zonkey.results.compare import Difference, DifferenceError, differences
from zonkey.results.measured import read, rows, series
from zonkey.results.page import outcomes, render, target_lines
from zonkey.results.published import Measured, measured
from zonkey.results.schema import Page, load_page, load_words
from zonkey.results.tables import Filled, describe, fill
from zonkey.results.verdicts import Outcome, Status, outcome

__all__ = [
    "Difference",
    "DifferenceError",
    "Filled",
    "Measured",
    "Outcome",
    "Page",
    "Status",
    "describe",
    "differences",
    "fill",
    "load_page",
    "load_words",
    "measured",
    "outcome",
    "outcomes",
    "read",
    "render",
    "rows",
    "series",
    "target_lines",
]
