"""pegboard for programs: chains in the own process, without a network, a disk or a clock.

    import pegboard
    from protocol.operations.transfer import Transfer

    chain = pegboard.open_chain("testnet")
    alice, bob = chain.account("alice"), chain.account("bob")
    chain.push(Transfer(pegboard.FREE, alice, bob, chain.amount(500_000, "TEST"), None))
    chain.generate_block()
    chain.balance("bob", "TEST")

Everything that the package `protocol` declares can be pushed. In the checkout this package is the
folder `node/pegboard`; `config` in it holds the genesis files and the recorded prices.
"""

from __future__ import annotations

from node.version import VERSION
from pegboard.development_chain import FREE, DevelopmentChain, open_chain

__all__ = ["FREE", "DevelopmentChain", "__version__", "open_chain"]

__version__ = VERSION
