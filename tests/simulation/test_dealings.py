"""People deal by the second chapters on networks, and each kind of dealing is lived through."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.simulation.bugs import BUGS
from tests.simulation.clients import DEALS
from tests.simulation.coverage import GROUPS, seen
from tests.simulation.options import DEALINGS, SWITCHED
from tests.simulation.runs import PASSED, run_schedule
from tests.simulation.schedule import Schedule
from tests.simulation.test_networks import CALM

ALL = replace(
    CALM,
    transactions_per_minute=120,
    seed=4,
    fault_s=80,
    paranoid=0,
    matched=1,
    **dict.fromkeys(DEALINGS, 1),
)
OPERATIONS = (
    "LiquidityPoolCreate LiquidityPoolDeposit LiquidityPoolWithdraw LiquidityPoolExchange "
    "LiquidityPoolUpdate SametFundCreate SametFundRepay CreditOfferCreate CreditOfferAccept "
    "CreditOfferUpdate CreditDealRepay CreditDealUpdate HtlcCreate HtlcRedeem HtlcExtend "
    "TicketCreate TicketUpdate CustomAuthorityCreate CustomAuthorityUpdate CustomAuthorityDelete "
    "AssetUpdateBitasset AssetPublishFeed AssetSettle"
)
"""What people send who deal in everything."""
BY_ITSELF = "LimitOrderCreate LimitOrderUpdate HtlcRefund HtlcRedeemed CreditDealRepay"
LETTERS = ("L8", "U7", "O8", "BS5", "SM3", "MCOP", "T2", "H3.1", "K2.2", "C4.1")


def test_every_kind_of_dealing_happens() -> None:
    """L3, U2, O2, BS5, SM3, BS10, T2, H2, K2, C2: a batch prints what there was of each."""
    run = run_schedule(Schedule.draw(ALL))
    assert run.verdict == PASSED, run.detail
    groups = {group.prefix: seen(run.figures, group) for group in GROUPS}
    assert [name for name in OPERATIONS.split() if name not in groups["accepted"]] == []
    assert [name for name in BY_ITSELF.split() if name not in groups["by itself"]] == []
    wanted = {"pool", "samet funds", "open offer", "htlcs", "mandate used", "linked orders"}
    assert wanted <= groups["dealing"].keys()
    assert {"pool of response 2", "pool of response 3"} & groups["dealing"].keys()
    assert groups["event"]["call that took a request"] > 0
    for refused in ("unpaid_samet_debt", "preimage_wrong", "missing_active_auth"):
        assert any(refused in name for name in groups["refused"]), refused


def test_a_seed_switches_each_kind_of_dealing() -> None:
    """Each by itself, and without one nobody deals."""
    assert set(DEALS) == set(DEALINGS) <= set(SWITCHED)
    assert not seen(run_schedule(Schedule.draw(CALM)).figures, GROUPS[-1])


@pytest.mark.parametrize("letter", LETTERS)
def test_bugs_are_planted_in_each_chapter(letter: str) -> None:
    """At least one of each letter of both books."""
    chapter = [bug for bug in BUGS if bug.layer == "second chapters"]
    assert any(f"({letter}" in bug.what or f" {letter})" in bug.what for bug in chapter)
