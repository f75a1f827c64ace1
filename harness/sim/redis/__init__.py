"""The simulated Redis: what redis-server 6.2 answers, in virtual time, or `NotSimulated`.

The data types are fakeredis' (`borrowed` is the one module that imports it); dispatch, expiry, transactions,
pub/sub, blocking commands and scripts are ours. There is no thread and no clock but the host's.

`table` lists every command. Command scripts (tests/sim/redis_scripts) and random sequences compare them with a real
redis-server 6.2, byte by byte in RESP2 and RESP3. What may differ:

- order that Redis leaves open: members of sets, names from KEYS and SCAN. Ours is the order in which they were made.
- of two errors in one senseless command, the one that is reported (ZUNIONSTORE with a bad option on a wrong type).
- a key whose time was set into the past by SET or GETEX is gone at once; Redis may count it in DBSIZE for a while.

Refused: everything that is not in `table`, options that came after 6.2, keyspace events, ranges by name over scores
that differ, and in scripts the libraries bit, struct and cmsgpack and whatever would show an address in memory.
"""

from harness.sim.redis.node import RedisNode

__all__ = ["RedisNode"]
