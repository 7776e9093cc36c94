"""Numbers of the rule book's section 0 and limits of the wire, in the field's own names."""

from __future__ import annotations

from protocol.ids import AccountId, AssetId

MAX_SUPPLY = 10**15
"""Upper bound of any asset amount (R1.4)."""

MAX_AMOUNT = 2**63 - 1
"""Largest amount that a field holds; of what is only counted and may exceed any supply."""

RATIO_DENOMINATOR = 1000
"""MCR, MSSR, ICR, TCR and MCFR are integers over it."""

MIN_COLLATERAL_RATIO = 1001
MAX_COLLATERAL_RATIO = 32000
DEFAULT_MAINTENANCE_COLLATERAL_RATIO = 1750
DEFAULT_MAXIMUM_SHORT_SQUEEZE_RATIO = 1500

HUNDRED_PERCENT = 10_000
"""Fee percents, offsets and volumes are integers over it."""

FEE_RATE_DENOMINATOR = 1_000_000
"""Fee rates of loans are integers over it (O1, O6)."""

ONE_PERCENT = 100

CORE_ASSET = AssetId(0)
CORE_PRECISION = 5
CORE_UNIT: int = 10**CORE_PRECISION

COMMITTEE_ACCOUNT = AccountId(0)
WITNESS_ACCOUNT = AccountId(1)
RELAXED_COMMITTEE_ACCOUNT = AccountId(2)
NULL_ACCOUNT = AccountId(3)
TEMP_ACCOUNT = AccountId(4)
PROXY_TO_SELF_ACCOUNT = AccountId(5)

ACCOUNT_NAME_LENGTH = range(1, 64)
ASSET_SYMBOL_LENGTH = range(3, 17)
ASSET_PRECISION_MAX = 12
URL_LENGTH_MAX = 127
WORKER_NAME_LENGTH_MAX = 63

SECONDS_PER_DAY = 86_400
SECONDS_PER_YEAR = 365 * SECONDS_PER_DAY

DEFAULT_FEED_LIFETIME_S = SECONDS_PER_DAY
DEFAULT_FORCE_SETTLEMENT_DELAY_S = SECONDS_PER_DAY
DEFAULT_FORCE_SETTLEMENT_OFFSET = 0
DEFAULT_FORCE_SETTLEMENT_VOLUME = 20 * ONE_PERCENT

MIN_BLOCK_INTERVAL_S = 1
MAX_BLOCK_INTERVAL_S = 30
MIN_TRANSACTION_SIZE_LIMIT = 1024
MIN_BLOCK_SIZE_LIMIT = 5 * MIN_TRANSACTION_SIZE_LIMIT
MAX_MARKET_FEE_NETWORK_PERCENT = 30 * ONE_PERCENT

IRREVERSIBLE_THRESHOLD = 70 * ONE_PERCENT
"""Share of the active witnesses that must have confirmed a block (R8.8)."""

MAX_UNDO_HISTORY = 10_000
TAPOS_WINDOW = 65_536
"""A transaction may refer to any of the last 65,536 blocks (R9.3)."""

CORE_CYCLE_RATE = 17
CORE_CYCLE_RATE_BITS = 32

MAX_BLOCK_BYTES = 2_000_000
"""No block is larger, whatever the chain parameters say; checked before decoding."""

MAX_TRANSACTION_BYTES = 256 * 1024
"""No transaction is larger, whatever the chain parameters say; checked before decoding."""

MAX_DELAY_S = 10 * SECONDS_PER_YEAR
"""Longest time between two maintenances, and of a review by the committee: longer ones would soon
reach beyond all times there are, and nobody could mend the parameters."""

MAX_TRANSACTION_SIGNATURES = 20
MAX_NESTED_OPERATIONS = 3
"""Depth of operations inside proposals inside a transaction that a decoder follows."""
