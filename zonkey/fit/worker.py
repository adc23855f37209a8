"""What one of several training processes begins with."""

import json
import logging
import os
from pathlib import Path

from zonkey.config import Config, parse


def parameters(path: Path) -> Config:
    """What the launching process wrote; the first rank logs, because all would log the same."""
    first = os.environ.get("RANK", "0") == "0"
    logging.basicConfig(level=logging.INFO if first else logging.WARNING, format="%(message)s")
    return parse(Config, json.loads(path.read_text(encoding="utf-8")), str(path))
