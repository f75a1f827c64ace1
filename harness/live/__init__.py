"""The live world: real processes and stores behind a gate and Toxiproxy."""
