"""The made-up stores of the other tests are shown here, too."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
