"""``python -m hitrs`` is ``hitrs``."""

import sys

from hitrs.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
