"""For every test run of the repository: with ``FORBID_SKIPS=1``, as in CI, a skipped test is a failed one.

Runs on Python 3.9 too, where the backend's tests run.
"""

from __future__ import annotations

import os

import pytest


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201, ARG001
    """Turn the report of a skipped test into that of a failed one."""
    outcome = yield
    report = outcome.get_result()
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("FORBID_SKIPS") == "1":
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, and this run allows no skips: {report.longrepr}"
