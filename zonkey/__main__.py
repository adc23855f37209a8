"""``python -m zonkey`` is the ``zonkey`` command."""

import sys

from zonkey.cli import main

if __name__ == "__main__":
    sys.exit(main())
