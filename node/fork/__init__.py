"""Going on from the state of a bitshares-core chain, as its `snapshot` plugin writes it."""
