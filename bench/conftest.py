"""The modules of bench/ import each other by name, as `python bench/run.py` has it."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
