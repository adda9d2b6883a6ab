"""What several files here need."""

import signal

import pytest


@pytest.fixture
def ctrl_c():
    """As on a terminal: a shell that starts something in the background has it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
