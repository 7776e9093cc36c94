"""What a development network prints when it starts: accounts, keys, endpoints, client lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from node.cli.network_files import Network
from node.cli.output import heading, table
from node.cli.program import command_name
from node.presets import ACCOUNTS, TEST_NETWORK_ID, development_key
from protocol.constants import CORE_PRECISION
from protocol.crypto.keys import public_key, wif
from protocol.genesis import chain_id
from protocol.json_form import JsonValue, format_time
from protocol.wording import format_decimal, plural

MAIN_NETWORK_ID = "4018d7844c78f6a6c41c6a552b898022310fc5dec06da467ee7905a8dad512c8"
KNOWN_CHAIN_IDS = (TEST_NETWORK_ID.hex(), MAIN_NETWORK_ID)
"""Chain ids that the published BitShares clients know; others need one line of configuration."""


def welcome(network: Network, api: str) -> Iterator[str]:
    """The lines that greet whoever started the network."""
    genesis, settings = network.genesis, network.genesis.settings()
    chain = chain_id(genesis).hex()
    if genesis.pegboard.fork is None:
        yield heading("Accounts") + "  (development keys, known to everybody: never use elsewhere)"
        rows = [(row["name"], row["balance"], row["wif"]) for row in people(network)]
        yield from _indent(table(("name", ">balance", "active key (WIF)"), rows))
    else:
        num = genesis.pegboard.fork.block_num
        yield heading("Accounts") + f"  those of the chain that this one goes on from, block {num}"
    yield ""
    yield heading("Chain")
    pegs = ", ".join(f"{settings.display_prefix}{symbol}" for symbol in network.peg_symbols)
    facts = [
        ("chain id", chain),
        ("core token", f"{settings.core_symbol}, keys begin with {settings.address_prefix}"),
        *([] if genesis.pegboard.fork is not None else [("BitAssets", pegs or "none")]),
        (plural(settings.producer_term), ", ".join(network.witnesses) or "none with a known key"),
        ("blocks", f"every {network.block_interval_s} s"),
        ("starts at", format_time(genesis.initial_timestamp)),
        ("data", str(network.directory)),
    ]
    yield from _indent(table(("", ""), facts)[1:])
    yield ""
    yield heading("Endpoints")
    yield f"  http://{api}  ws://{api}"
    yield ""
    yield heading("Clients")
    for line in client_lines(chain, settings.core_symbol, settings.address_prefix, api):
        yield f"  {line}"
    yield ""
    yield heading("Try")
    for line in commands_to_try(network, api):
        yield f"  {line}"
    yield ""


def people(network: Network) -> list[dict[str, str]]:
    """Name, core balance and active key of the accounts that are there to be played with."""
    balances: Mapping[str, int] = {
        item.account_name: item.amount
        for item in network.genesis.pegboard.account_balances or ()
        if item.asset_symbol == network.genesis.settings().core_symbol
    }
    found = []
    for account in network.genesis.initial_accounts:
        secret = development_key(account.name, "active")
        is_known = account.effective_active_key() == public_key(secret)
        if account.name in ACCOUNTS and is_known:
            balance = format_decimal(balances.get(account.name, 0), CORE_PRECISION)
            symbol = network.genesis.settings().core_symbol
            found.append(
                {"name": account.name, "balance": f"{balance} {symbol}", "wif": wif(secret)}
            )
    return found


def client_lines(chain: str, symbol: str, prefix: str, api: str) -> list[str]:
    """One line of configuration for each client library; none where the chain id is known."""
    if chain in KNOWN_CHAIN_IDS:
        return [
            "python-bitshares, bitsharesjs and btsdex know this chain id: no configuration needed",
            f'python: BitShares(node="ws://{api}", nobroadcast=False)',
        ]
    return [
        "python: from bitsharesbase.chains import known_chains; "
        f'known_chains["{symbol}"] = {{"chain_id": "{chain}", '
        f'"core_symbol": "{symbol}", "prefix": "{prefix}"}}',
        f'bitsharesjs-ws: ChainConfig.networks.{symbol} = {{core_asset: "{symbol}", '
        f'address_prefix: "{prefix}", chain_id: "{chain}"}}',
        f'btsdex: require("btsdex-api").addConfig({{name: "{symbol}", coreAsset: "{symbol}", '
        f'addressPrefix: "{prefix}", chainId: "{chain}"}})',
    ]


def commands_to_try(network: Network, api: str) -> list[str]:
    """Commands for a second terminal."""
    settings = network.genesis.settings()
    url = "" if api.endswith(":8090") else f" --url http://{api}"
    program = command_name()
    lines = [f"{program} show chain{url}"]
    if network.peg_symbols:
        peg = f"{settings.display_prefix}{network.peg_symbols[0]}"
        lines += [
            f'{program} wallet borrow "100 {peg}" --ratio 2.5 --dev-keys -a alice{url}',
            f"{program} show positions {peg}{url}",
            f"{program} demo margin-call{url}",
        ]
    return lines


def welcome_document(network: Network, api: str) -> JsonValue:
    """What `welcome` tells, as JSON."""
    settings = network.genesis.settings()
    return {
        "event": "up",
        "chain_id": chain_id(network.genesis).hex(),
        "core_symbol": settings.core_symbol,
        "address_prefix": settings.address_prefix,
        "http": f"http://{api}",
        "ws": f"ws://{api}",
        "data_dir": str(network.directory),
        "witnesses": list(network.witnesses),
        "accounts": [dict(row) for row in people(network)],
    }


def _indent(lines: list[str]) -> Iterator[str]:
    return (f"  {line}" for line in lines)
