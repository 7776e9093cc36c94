"""`pegboard show`: a look into the chain, as people read it."""

from __future__ import annotations

import click

from node.cli.commands import LazyGroup, Place

VIEWS = {
    "account": Place("show_chain:account", "An account: authorities, balances, positions, orders."),
    "accounts": Place("show_lists:accounts", "The accounts of the chain, by name."),
    "asset": Place(
        "show_market:asset",
        "An asset: supply and issuer; of a BitAsset the feed and the prices that follow from it.",
    ),
    "assets": Place("show_lists:assets", "The assets of the chain, by symbol."),
    "block": Place(
        "show_chain:block", "A block with its operations and what the chain did by itself in it."
    ),
    "book": Place(
        "show_market:book",
        "The order book of two assets; OTHER is the backing asset or the core token if left out.",
    ),
    "calls": Place(
        "show_lists:calls",
        "The margin calls of a BitAsset or of an account, newest first, each with its reason "
        "(R4.2).",
    ),
    "chain": Place(
        "show_chain:chain", "The chain and the node: head, irreversible block, peers, options."
    ),
    "credit": Place(
        "show_credit:credit",
        "Credit offers and open deals: all offers, or those of an account or asset, or one of "
        "them.",
    ),
    "delegates": Place(
        "show_chain:delegates", "The same as `witnesses`, by the name that some chains give them."
    ),
    "feeds": Place(
        "show_lists:feeds",
        "Who publishes which price of a BitAsset, and the medians that came of it, newest first.",
    ),
    "funds": Place(
        "show_pools:funds",
        "The SameT funds of the chain, or those that lend an asset: what they have, and their fee.",
    ),
    "pools": Place(
        "show_pools:pools",
        "The liquidity pools of the chain, or those that hold an asset; what they did in 24 hours.",
    ),
    "positions": Place(
        "show_market:positions", "The positions of a BitAsset, least collateralised first."
    ),
    "settlements": Place(
        "show_market:settlements",
        "The settlement requests of a BitAsset that wait, earliest first, and why (R5.2, R5.4).",
    ),
    "trades": Place(
        "show_lists:trades",
        "The newest trades of two assets; OTHER is the backing asset or the core token if left "
        "out.",
    ),
    "tx": Place(
        "show_chain:tx",
        "A transaction: by its id, among the last blocks, or by block number and place in it.",
    ),
    "witnesses": Place(
        "show_chain:witnesses",
        "The block producers, most votes first, and what they have produced.",
    ),
}
"""What there is to look at."""


@click.group(cls=LazyGroup, places=VIEWS)
def show() -> None:
    """Look into the chain: its head, producers, accounts, markets and blocks.

    \b
    pegboard show chain
    pegboard show asset bitUSD
    pegboard show positions bitUSD --json
    pegboard show trades bitUSD
    pegboard show calls alice
    pegboard show credit
    """
