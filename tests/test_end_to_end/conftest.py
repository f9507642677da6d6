"""What the end-to-end tests need from the machine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tools.chromium import Browser, find_browser, opened_browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A running Chromium; what asks for it is skipped where none is installed."""
    program = find_browser()
    if program is None:
        pytest.skip("no browser: apt install chromium")
    with opened_browser(program) as opened:
        yield opened
