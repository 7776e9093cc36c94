"""Whole networks of production nodes in simulated time, as a campaign that a seed repeats.

A run (`simulation`) lets nodes (`machine`) live on a simulated network (`network`) under faults
(`faults`) and clients (`workload`), heals everything, and demands that all come together again.
`checkers` fail it at the first broken promise. What happens is data (`schedule`): options that a
seed draws (`options`), each kind of fault switched on or off by itself, and faults with times.

A batch (`batch`, `scripts/simulate --hours 1`) runs seeds on all processors. Each run becomes a
line of the ledger (`ledger`): commit, seed, options, verdict, figures. The next batch of the same
commit goes on with the seed after the last one, and `--report` sums up by commit. At the end stand
network-hours, conflicts of irreversible blocks, missed slots, faults by kind, growth of memory, and
the states that were seen (`coverage`): depths of forks, patterns of votes, what syncs were doing,
messages, refusals. A batch of 20 runs or more that stays below a floor there fails: it tested less
than it says.

A seed that fails prints the command that runs it again, and shrinks by itself (`shrinking`): fewer
faults, calmer options, a shorter run, as long as it fails in the same way. What remains is written
to `regressions/`, whose schedules the fast tests run. Commit it together with the mend.

Teeth (`bugs`, `teeth`, `scripts/simulate --teeth`): bugs of all layers, planted one after the other
(`planting`), each with the one who must find it: seeds of drawn networks, a kept schedule, attacks
on finality, crash points, or a test by its name, which must fail. A bug that is missed fails the
batch. To add one, write a row in `bugs`.

`scripts/campaign` runs this and all other slow campaigns, with one table at the end.
"""
