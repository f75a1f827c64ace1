"""The operations of the API, one module per noun; `routes` says which path reaches which.

An operation is a function of an `Account` and a `Call`. It checks everything before it changes anything, so
that a raised `ApiError` leaves the account as it was (a decline, which is an outcome of its own, excepted).
"""
