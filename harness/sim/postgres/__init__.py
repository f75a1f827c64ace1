"""The simulated world's PostgreSQL: a real server whose time, chance and waiting are the world's."""

from harness.sim.postgres.cluster import PostgresCluster
from harness.sim.postgres.database import Database
from harness.sim.postgres.errors import PostgresUnavailable
from harness.sim.postgres.node import PostgresNode

__all__ = ["Database", "PostgresCluster", "PostgresNode", "PostgresUnavailable"]
