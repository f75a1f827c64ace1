"""The checkout service: a FastAPI application, an asynchronous worker, PostgreSQL, Redis and the stripe SDK.

What the builds share lives here once; each build is a package of its own. Nothing in here knows what tests
it.
"""
