"""The suite, in the order in which it runs. A new hazard is one file and one line here."""

from scenarios.callback_before_answer import callback_before_answer
from scenarios.commit_lost import commit_lost
from scenarios.crash import crash
from scenarios.double_click import double_click
from scenarios.duplicate_callback import duplicate_callback
from scenarios.key_reused import key_reused
from scenarios.last_ticket import last_ticket
from scenarios.late_callback import late_callback
from scenarios.lost_reply import lost_reply
from scenarios.provider_errors import provider_errors
from scenarios.provider_timeout import provider_timeout
from scenarios.redis_lost import redis_lost
from scenarios.stale_callback import stale_callback
from scenarios.two_devices import two_devices

SCENARIOS = [
    lost_reply,
    provider_timeout,
    provider_errors,
    callback_before_answer,
    duplicate_callback,
    stale_callback,
    late_callback,
    double_click,
    two_devices,
    key_reused,
    crash,
    commit_lost,
    redis_lost,
    last_ticket,
]
