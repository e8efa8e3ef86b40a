"""What the page of figures says beside the figures."""

from __future__ import annotations

HEAD = """\
# Performance

Written by `make bench` from one run; do not edit it by hand. Every figure is printed, met or
missed, beside the peers of the same run.
"""

READING = """\
## How to read it

* A **message** changes one cell; a **delivery** is its arrival at one other client. Loops are
  closed: when the last recipient has a message, the next one leaves. Latency runs from the
  write of a message until its last recipient has it.
* **CPU** is user and system time of all processes of a server. Ours is counted until it is idle
  again after the last message, Postgres apart; with Postgres it stands beside. A peer's is the
  *kinder* of two readings, until its last delivery or until it is idle again: Node passes
  changes on first and saves them behind, so the first leaves out most of what its persister
  costs. Ratios are ours : theirs, below 1 is cheaper.
* They do not promise the same. `stateroom` shows a change to others after it is committed and
  synced to disk; `stateroom-relaxed` and the peers show it first and save behind; `node-relay`
  and `stateroom-none` keep nothing.
* Figures are medians over the rounds; ratios are taken of medians. The servers take turns in
  each round and another one begins, because the speed of a machine drifts.
* In the tables of load, `generator` is the load generator's share of one core and `others` what
  everything else used of all cores. The generator, the server and Postgres share the machine:
  where the generator is near 100 %, the *rate* is its limit. The claims are about CPU; only
  `many` and the latencies are about time.
* `lost running` are cells that the idle server's replica lacked or held stale. In every
  measurement each delivery is checked (count, bytes, order), then a late joiner pulls every
  room: it must get every change, and the hashes that the server tells must be those of what it
  sent, worked out anew. Anything else of ours is a fault, and the measurement does not count.
* Profiles are samples of a run of their own, so the figures are of servers that nobody looked
  into. Own time of a C function without a file is the kernel's or the C library's.
"""

REPEATING = """\
## How to repeat it

On Linux, with nothing else to do for the machine:

```sh
make bench                                  # everything, and this page
make bench ARGS="--rows pair,join"          # some rows, to bench/results
make bench ARGS="--quick"                   # whether the harness works
python -m bench --help                      # any server in any scenario
```

[Benchmarks](../guides/benchmarks.md) tells how the load generator works.
"""
