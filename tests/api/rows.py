"""Marks a test with the contract row it covers: `@row("GET /api/v1/tasks")` for a test of its
success, `@row("GET /api/v1/tasks", error=401)` for one of an error. scripts/rows reads these
lines without running them."""
import pytest


def row(route, error=None):
    return pytest.mark.row(route, error)
