"""The simulated Redis: what redis-server 6.2 answers, in virtual time, or `NotSimulated`.

The data types are fakeredis' (`borrowed` is the one module that imports it); dispatch, expiry, transactions,
pub/sub, blocking commands and scripts are ours. There is no thread and no clock but the host's.
"""

from harness.sim.redis.node import RedisNode

__all__ = ["RedisNode"]
