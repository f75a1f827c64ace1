"""The simulated world: virtual time, an in-memory network, and stores that live in it."""
