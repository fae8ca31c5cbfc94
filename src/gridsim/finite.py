"""Trees for JSON, which has no NaN and no infinity."""

import math
from typing import Any


def finite(value: Any) -> Any:
    """The tree with null in their place."""
    if isinstance(value, dict):
        return {k: finite(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
