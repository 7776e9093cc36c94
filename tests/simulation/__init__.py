"""Whole networks of production nodes in simulated time, as a campaign that a seed repeats.

A run (`simulation`) lets nodes (`machine`, `disk`) live on a simulated network (`network`) under
faults (`faults`), liars (`hostile`), an attacker who sees everything (`attacker`) and clients
(`clients`): agents of a scenario (`economy`). Then all is healed, but for a node that may be gone
for good, and `healing` demands that the others agree, that blocks become irreversible within three
rounds, that the chain grows by two thirds of the slots of those who live, and that it takes in what
they were sent. `checkers` fail a run at the first broken promise, `bounds` when a node holds what
is gone or liars make a price.
What happens is data (`schedule`): options that a seed draws (`options`), each kind of fault
switched on or off by itself, and faults with times.

A batch (`batch`, `scripts/simulate --hours 1`) runs seeds on all processors. Each run becomes a
line of the ledger (`ledger`): commit, seed, options, verdict, figures. The next batch of the same
commit goes on with the seed after the last one; `--report` sums up by commit, and all together. At
the end stand network-hours, conflicts of irreversible blocks, missed slots, faults by kind, growth
of memory, which fails a batch of some length, and the states that were seen (`coverage`): depths of
forks, patterns of votes, what syncs were doing, messages, refusals. A batch of 20 runs or more that
stays below a floor there fails: it tested less than it says.

A seed that fails prints the command that runs it again, and shrinks by itself (`shrinking`): fewer
faults, calmer options, a shorter run, as long as it fails in the same way. What remains is written
to `regressions/`, whose schedules the fast tests run. Commit it together with the mend.

Teeth (`bugs`, `teeth`, `scripts/simulate --teeth`): bugs of all layers, planted one after the other
(`planting`), each with the one who must find it: seeds of drawn networks, a kept schedule, attacks
on finality, crash points, or a test by its name, which must fail. A bug that is missed fails the
batch. To add one, write a row in `bugs`.

Whose prices and people a network has is a scenario's file, as `pegboard play` knows them: a seed
chooses among `economy.SHIPPED`, and `--scenario FILE` names another. Beside it people deal by the
second chapters (`dealings`): in pools, loans, locks, mandates and orders that take profit
(`contracts`), and in BitAssets of every black swan response (`swans`), each kind an option of its
own. Some of what they send is wrong on purpose, and a node that takes it fails the run.

`scripts/campaign` runs this and all other slow campaigns, with one table at the end.
"""
