"""Why operations of hash time locks, tickets and custom authorities are refused."""

from __future__ import annotations

from node.state.errors import LimitExceeded, NotAuthorized, TransactionRejected, WrongAccount

# Hash time locks (H).


class HtlcNotEnabled(TransactionRejected):
    """H1.1: the chain parameters have no options of hash time locks."""

    name = "htlc_not_enabled"


class TimeoutTooLong(LimitExceeded):
    """H2.2: the claim period is longer than the chain's parameters allow."""

    name = "timeout_too_long"


class PreimageTooLong(LimitExceeded):
    """H2.2: the preimage is longer than the chain's parameters allow."""

    name = "preimage_too_long"


class TransferRestricted(NotAuthorized):
    """H2.2: the asset moves only from and to its issuer."""

    name = "transfer_restricted"


class PreimageSizeMismatch(TransactionRejected):
    """H3.1: what is shown is not as long as the contract says."""

    name = "preimage_size_mismatch"


class PreimageWrong(TransactionRejected):
    """H3.1: what is shown has another hash."""

    name = "preimage_wrong"


class NotTheCreator(WrongAccount):
    """H4.1: only the account that made a contract gives it more time."""

    name = "not_the_creator"


class ExtensionTooLong(LimitExceeded):
    """H4.1: the contract would end later than one made now could."""

    name = "extension_too_long"


# Tickets (K).


class TicketLockedForever(TransactionRejected):
    """K2.2: nothing can be changed about CORE that is locked for ever."""

    name = "ticket_locked_forever"


class TicketTargetUnchanged(TransactionRejected):
    """K2.2: the ticket works up or down to this type already."""

    name = "ticket_target_unchanged"


# Custom authorities (C).


class CustomAuthoritiesNotEnabled(TransactionRejected):
    """C1.1: the chain parameters have no options of custom authorities."""

    name = "custom_authorities_not_enabled"


class CustomAuthorityUnchanged(TransactionRejected):
    """C2.3: what is given is what the custom authority has already."""

    name = "custom_authority_unchanged"


class NoSuchRestriction(TransactionRejected):
    """C2.3: the custom authority has no restriction of this number."""

    name = "no_such_restriction"
