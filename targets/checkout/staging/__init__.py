"""The change under review: retries around the payment, and finalisation by the worker on provider events."""
