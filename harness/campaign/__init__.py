"""Campaigns: many runs of many scenarios under one budget, in worker processes, kept as they go."""
