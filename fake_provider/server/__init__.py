"""The standalone provider: the core on a real port and on the real clock.

`connection` speaks HTTP, `service` joins connections, clock and core, `courier` posts callbacks, `control`
answers `/_control`. Nothing here knows what a payment is.
"""
