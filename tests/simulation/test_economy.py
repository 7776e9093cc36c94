"""Scenarios on networks: whose prices are published, who acts, and what is refused beforehand."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from node.shipped import shipped_file
from pegboard.agents import NoSuchRule
from pegboard.scenario import ScenarioError
from protocol.errors import PegboardError
from tests.simulation import __main__ as command
from tests.simulation.batch import Job
from tests.simulation.economy import SHIPPED, NotForNetworks, check_scenario, economy_of
from tests.simulation.options import SWITCHED
from tests.simulation.schedule import Schedule
from tests.simulation.simulation import Simulation
from tests.simulation.test_networks import CALM

OWN = """pegboard = 1
[chain]
maker = false
settlement_delay = "9s"
[accounts]
zoe = { core = 500 }
yan = { core = 400 }
[prices.bitSILVER]
source = "fixed:0.5"
shocks = [[3, "-50%"]]
mcr = 1.5
[[steps]]
do = "sell"
account = "zoe"
amount = "50 bitSILVER"
at = 0.4
[[steps]]
do = "borrow"
account = "zoe"
amount = "50 bitSILVER"
ratio = 3
[[steps]]
do = "transfer"
account = "yan"
to = "zoe"
amount = "100 TEST"
"""


def test_a_scenario_of_one_s_own_is_lived_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prices with their ratio, people with their tokens, and steps, until each is taken once."""
    path = tmp_path / "own.toml"
    path.write_text(OWN)
    drawn: list[Schedule] = []
    monkeypatch.setattr(command, "run_one", lambda schedule, _: drawn.append(schedule))
    command.main(["--seed", "2", "--scenario", str(path)])
    drawn[0].save(tmp_path / "run.json")
    assert Schedule.load(tmp_path / "run.json") == drawn[0]
    assert drawn[0].scenario == str(path)
    assert Job(scenario="own.toml").command(2).endswith("--seed 2 --scenario own.toml")
    simulation = Simulation(Schedule("", CALM, (), str(path)))
    counts = simulation.run().counts
    assert counts["accepted Transfer"] == counts["accepted CallOrderUpdate"] == 1
    assert counts["accepted LimitOrderCreate"] == 1
    core = simulation.machines[1].core
    assert core is not None
    state = core.chain.state
    zoe, silver = state.account_named("zoe").id, state.asset_named("SILVER").id
    position = state.positions_of_account.find(zoe, silver)
    assert position is not None
    assert position.debt == 50 * 10 ** state.assets.get(silver).precision
    bitasset = state.bitasset_of(silver)
    assert bitasset is not None
    assert bitasset.current_feed.maintenance_collateral_ratio == 1_500
    assert bitasset.options.force_settlement_delay_sec == 9
    assert not state.positions.count(state.asset_named("USD").id)


def test_a_shock_comes_at_its_slot() -> None:
    """From the so manyth block's time on, for every witness alike, and for good."""
    [(symbol, source), *_] = economy_of(SHIPPED.index("fall"), "").feeds(CALM, 1_000)
    assert symbol == "USD"
    before, after = (
        source.prices.price_at(1_000 + CALM.block_interval_s * slot) for slot in (8, 9)
    )
    ratio = (after.base * before.quote) / (after.quote * before.base)
    assert 0.69 < ratio < 0.71
    assert source.maximum_short_squeeze_ratio == 1_100


def test_agents_of_every_shipped_scenario_act() -> None:
    """Each does what its people do; the option chooses among them, and a seed its course."""
    seen = {}
    for series, name in enumerate(SHIPPED[1:], 1):
        options = replace(CALM, series=series, transactions_per_minute=120, fault_s=20, paranoid=0)
        seen[name] = Simulation(Schedule.draw(options)).run().counts
    assert set(SWITCHED["series"]) == set(range(1, len(SHIPPED)))
    assert seen["slump"]["event GloballySettledEvent"] > 0
    assert seen["slump"]["accepted BidCollateral"] > 0
    assert seen["fall"]["accepted CallOrderUpdate"] == 3
    assert seen["lira"]["accepted LimitOrderCreate"] > 5
    assert seen["lira"]["event MarginCallEvent"] > 0


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("pegboard = 1\n[accounts.zoe]\ncore = 1\n", NotForNetworks),
        (OWN.replace("bitSILVER", "bitTIN"), NotForNetworks),
        (OWN.replace("maker = false", 'preset = "graphene"'), NotForNetworks),
        (OWN + '[[agents]]\nrule = "nobody"\nname = "nick"\n', NoSuchRule),
        (OWN[:-3], ScenarioError),
        (OWN.replace("fixed:0.5", "fixed:much"), PegboardError),
    ],
)
def test_what_no_network_can_live_through_is_refused(
    tmp_path: Path, text: str, error: type[PegboardError], capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything runs; the command says why."""
    path = tmp_path / "wrong.toml"
    path.write_text(text)
    with pytest.raises(error):
        check_scenario(str(path))
    assert command.main(["--seed", "1", "--scenario", str(path)]) == 1
    assert "refused: " in capsys.readouterr().out


def test_the_demo_is_for_one_market() -> None:
    """Its BitAsset is made by its steps, and no witness prices it."""
    with pytest.raises(NotForNetworks):
        check_scenario(str(shipped_file("config/scenarios/margin_call.toml")))
