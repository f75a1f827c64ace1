"""What can be wrong with the simulated world's PostgreSQL itself."""

from harness.errors import InfrastructureError


class PostgresUnavailable(InfrastructureError):
    """The embedded PostgreSQL is not installed, does not start, or stopped answering."""
