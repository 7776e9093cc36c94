"""The presets: reproducible files, deterministic keys, checked genesis, known chain ids."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from msgspec.structs import replace

from node.chain.genesis import build_state
from node.presets import (
    ACCOUNTS,
    DEVELOPMENT_PASSWORD,
    PEGS,
    PRESETS,
    WITNESSES,
    build_genesis,
    development_key,
    genesis_text,
)
from node.witness.feed_source import PeggedAsset, publish_feed
from node.witness.feed_text import FeedContext, parse_feed_source
from protocol.asset import AssetAmount
from protocol.constants import CORE_ASSET, WITNESS_ACCOUNT
from protocol.crypto.keys import key_text, public_key
from protocol.errors import ValidationError
from protocol.genesis import chain_id, load_genesis
from protocol.ids import AccountId, AssetId
from protocol.operations.asset_options import WITNESS_FED_ASSET

CONFIG = Path(__file__).resolve().parent.parent.parent / "config"

CHAIN_IDS = {
    "testnet": "39f5e2ede1f8bc1a3a54a7914414e3779e33193f1f5693510e73cb7a87617447",
    "bitshares": "aedda597c79b3192860aed6264bc856a546f9a1155c9da8b63c921048132e9eb",
    "openshares": "5a12305ab374a8b9ed81250fefd71e3d05f79cf3099b4c208b3b027c9229a9c7",
    "graphene": "49f9f719e723b8e474085af35930bf3ad3e795bfe6837d8119b303ae5674d0d7",
}
"""Ids of the committed templates; whoever changes one changes the chain."""


@pytest.mark.parametrize("name", PRESETS)
def test_the_committed_file_is_what_the_script_writes(name: str) -> None:
    """scripts/make_presets.py has been run since the last change."""
    assert (CONFIG / f"{name}.json").read_text() == genesis_text(build_genesis(PRESETS[name]))


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_loads_as_it_was_built(name: str) -> None:
    """The file says all that the built genesis says, and makes a chain with a known id."""
    genesis = load_genesis((CONFIG / f"{name}.json").read_text())
    built = build_genesis(PRESETS[name])
    assert replace(genesis, initial_chain_id=built.initial_chain_id) == built
    assert chain_id(genesis).hex() == CHAIN_IDS[name]


@pytest.mark.parametrize(
    ("name", "core_symbol", "prefix", "display_prefix", "term"),
    [
        ("testnet", "TEST", "TEST", "bit", "witness"),
        ("bitshares", "BTS", "BTS", "bit", "witness"),
        ("openshares", "OPS", "OPS", "open", "delegate"),
        ("graphene", "GPH", "GPH", "gp", "witness"),
    ],
)
def test_what_tells_the_presets_apart(
    name: str, core_symbol: str, prefix: str, display_prefix: str, term: str
) -> None:
    """R2.19: the symbol on the chain is USD; people see bitUSD, openUSD, gpUSD."""
    settings = build_genesis(PRESETS[name]).settings()
    assert settings.core_symbol == core_symbol
    assert settings.address_prefix == prefix
    assert settings.display_prefix == display_prefix
    assert settings.producer_term == term
    assert settings.margin_call_trigger == "bid"
    assert settings.strict_release is False


def test_no_two_presets_share_a_chain_id() -> None:
    """A signature for one chain is worth nothing on another."""
    ids = [chain_id(build_genesis(preset)) for preset in PRESETS.values()]
    assert len(set(ids)) == len(ids)


def test_development_keys_are_public_and_deterministic() -> None:
    """SHA256 of name, role and the development password, as a web wallet derives them."""
    expected = hashlib.sha256(b"aliceactive" + DEVELOPMENT_PASSWORD.encode()).digest()
    assert development_key("alice", "active").reveal() == expected
    keys = {
        public_key(development_key(name, role))
        for name in (*ACCOUNTS, *WITNESSES)
        for role in ("owner", "active", "signing")
    }
    assert len(keys) == 3 * (len(ACCOUNTS) + len(WITNESSES))


def test_every_account_is_rich_and_has_its_development_keys() -> None:
    """A newcomer can act as anyone at once."""
    genesis = build_genesis(PRESETS["testnet"])
    balances = {item.account_name: item.amount for item in genesis.pegboard.account_balances or ()}
    for account in genesis.initial_accounts:
        assert balances[account.name] >= 100_000 * 10**5
        assert account.owner_key == public_key(development_key(account.name, "owner"))
        assert account.effective_active_key() == public_key(development_key(account.name, "active"))
        assert account.is_lifetime_member
    for witness in genesis.initial_witness_candidates:
        expected = public_key(development_key(witness.owner_name, "signing"))
        assert witness.block_signing_key == expected
    assert f'"{key_text(expected, "TEST")}"' in (CONFIG / "testnet.json").read_text()


def test_the_bitassets_of_the_mission_exist_everywhere() -> None:
    """USD, EUR, CNY, RUB, GOLD and SILVER, one feed enough, settled after a minute."""
    for preset in PRESETS.values():
        genesis = build_genesis(preset)
        assets = {asset.symbol: asset for asset in genesis.initial_assets}
        assert list(assets) == ["USD", "EUR", "CNY", "RUB", "GOLD", "SILVER"]
        for settings in genesis.pegboard.assets or ():
            assert assets[settings.symbol].is_bitasset
            assert settings.bitasset_options is not None
            assert settings.bitasset_options.minimum_feeds == 1
            assert settings.bitasset_options.force_settlement_delay_sec == 60


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_boots(name: str) -> None:
    """R1.13: on the fresh state the witnesses may publish feeds; all CORE lies in accounts."""
    genesis = build_genesis(PRESETS[name])
    state = build_state(genesis, chain_id(genesis))
    core = state.assets.get(CORE_ASSET)
    assert core.symbol == PRESETS[name].core_symbol
    supply = state.asset_dynamic_data.get(core.dynamic_asset_data_id).current_supply
    assert supply == sum(item.amount for item in genesis.pegboard.account_balances or ())
    publishers = dict(state.accounts.get(WITNESS_ACCOUNT).active.account_auths)
    names = [state.accounts.get(account).name for account in publishers]
    assert names == list(WITNESSES)
    for symbol in PEGS:
        asset = state.asset_by_symbol.find(symbol)
        assert asset is not None
        assert asset.bitasset_data_id is not None
        assert asset.options.flags == WITNESS_FED_ASSET
        assert state.bitassets.get(asset.bitasset_data_id).options.minimum_feeds == 1


@pytest.mark.parametrize("symbol", PEGS)
def test_every_peg_has_a_first_price(symbol: str) -> None:
    """R1.12: the feed that a fresh network starts with can be published as it is."""
    context = FeedContext(start_s=0, block_interval_s=3, read_text=lambda path: path)
    source = parse_feed_source(PEGS[symbol].feed, context)
    asset = PeggedAsset(AssetId(1), PEGS[symbol].precision, AssetId(0), 5)
    fee = AssetAmount(0, AssetId(0))
    assert publish_feed(source, AccountId(6), asset, 0, fee=fee).feed.settlement_price.base.amount


def test_a_network_can_be_smaller_and_slower() -> None:
    """R8.12: the least number of witnesses is odd; R8.10: maintenance falls on a slot."""
    genesis = build_genesis(
        PRESETS["testnet"], initial_timestamp=1_800_000_003, block_interval_s=7, witness_count=4
    )
    assert genesis.initial_timestamp % 7 == 0
    assert 0 <= 1_800_000_003 - genesis.initial_timestamp < 7
    assert genesis.initial_parameters.maintenance_interval % 7 == 0
    assert genesis.initial_active_witnesses == len(genesis.initial_witness_candidates) == 4
    assert genesis.immutable_parameters.min_witness_count == 5
    assert len(genesis.initial_committee_candidates) == 11


@pytest.mark.parametrize("count", [0, 12])
def test_a_count_out_of_range_is_refused(count: int) -> None:
    """R8.12: between one witness and all that the preset knows."""
    with pytest.raises(ValidationError, match=f"number of witnesses.*value {count}"):
        build_genesis(PRESETS["testnet"], witness_count=count)


@pytest.mark.parametrize("interval_s", [0, 31])
def test_an_interval_out_of_range_is_refused(interval_s: int) -> None:
    """R8.4: between 1 and 30 seconds."""
    with pytest.raises(ValidationError, match=f"block interval.*value {interval_s}"):
        build_genesis(PRESETS["testnet"], block_interval_s=interval_s)
