"""What failed logins lead to, and that they are forgiven."""

from __future__ import annotations

import pytest

from node.api.failed_logins import (
    DELAY_S,
    FAILURES_MAX,
    FORGIVEN_EVERY_S,
    GROUPS_KEPT,
    FailedLogins,
)

GROUP = "203.0.113.0/24"


def test_each_failure_is_answered_later() -> None:
    """T-A6: and after five the group is shut out, its neighbours are not."""
    logins, delays = FailedLogins(), []
    while not logins.is_shut_out(GROUP, 0):
        logins.add(GROUP, 0)
        delays.append(logins.delay_s(GROUP, 0))
    assert delays == [DELAY_S * number for number in range(1, FAILURES_MAX + 1)]
    assert not logins.is_shut_out("203.0.114.0/24", 0)


def test_failures_are_forgiven() -> None:
    """T-A6: one after the other."""
    logins = FailedLogins()
    for _ in range(FAILURES_MAX):
        logins.add(GROUP, 0)
    assert logins.is_shut_out(GROUP, FORGIVEN_EVERY_S / 2)
    assert not logins.is_shut_out(GROUP, FORGIVEN_EVERY_S)
    later = FORGIVEN_EVERY_S * FAILURES_MAX
    logins.add(GROUP, later)
    assert logins.delay_s(GROUP, later) == pytest.approx(DELAY_S)


def test_groups_are_forgotten() -> None:
    """T-A3: a stranger with many addresses does not fill the memory."""
    logins = FailedLogins()
    for number in range(20 * GROUPS_KEPT):
        logins.add(f"group {number}", number)
    assert len(logins.groups) <= 2 * GROUPS_KEPT
