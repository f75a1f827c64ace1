"""The simulated world's PostgreSQL: a real server whose time, chance and waiting are the world's.

`PostgresCluster` runs the server, `Database` keeps one schema as new for every run, `PostgresNode` is the world's
service. What belongs here is whatever makes a real PostgreSQL a function of the order of messages: its clock
(`virtual`), the text of statements (`rewrite`, `refusals`, `timeouts`, `request`), who waits for whom (`waiting`,
`deadlock`), and a state without a past (`pristine`, `prepared`, `history`). How its protocol is cut into named
messages is `harness.wire.postgres`, which the live world shares.
"""

from harness.sim.postgres.cluster import PostgresCluster
from harness.sim.postgres.database import Database
from harness.sim.postgres.errors import PostgresUnavailable
from harness.sim.postgres.node import PostgresNode

__all__ = ["Database", "PostgresCluster", "PostgresNode", "PostgresUnavailable"]
