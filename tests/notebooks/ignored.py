"""Cells whose output nbval does not compare, each with the reason why it cannot."""

from __future__ import annotations

#: notebook → cell id → why the cell may carry a tag such as nbval-ignore-output
ALLOWED: dict[str, dict[str, str]] = {}
