"""Addresses that a user names are parsed, and faults go only to hosts that were allowed."""

import pytest

from harness.errors import UsageError
from harness.live.address import Address, named_address


def test_an_address_gives_host_port_user_password_and_name() -> None:
    env = {"PAYCHAOS_POSTGRES_URL": "postgresql://me:p%40ss@localhost:6000/shop"}
    assert named_address("PAYCHAOS_POSTGRES_URL", 5432, env) == Address(
        "localhost", 6000, "me", "p@ss", "shop"
    )


def test_a_variable_that_is_not_set_names_nothing() -> None:
    assert named_address("PAYCHAOS_REDIS_URL", 6379, {}) is None


def test_a_host_elsewhere_is_refused_unless_it_is_listed() -> None:
    env = {"PAYCHAOS_REDIS_URL": "redis://shop.example:6379/9"}
    with pytest.raises(UsageError) as caught:
        named_address("PAYCHAOS_REDIS_URL", 6379, env)
    assert str(caught.value) == (
        "PAYCHAOS_REDIS_URL names the host 'shop.example'; faults are injected on this machine only, and on hosts"
        " that PAYCHAOS_ALLOW_HOSTS lists. If it is a test system: PAYCHAOS_ALLOW_HOSTS=shop.example"
    )
    allowed = {**env, "PAYCHAOS_ALLOW_HOSTS": "other, shop.example"}
    assert named_address("PAYCHAOS_REDIS_URL", 6379, allowed) == Address("shop.example", 6379, path="9")


def test_an_address_without_a_host_is_refused() -> None:
    with pytest.raises(UsageError, match=r"^PAYCHAOS_REDIS_URL='6379' names no host; it reads scheme://"):
        named_address("PAYCHAOS_REDIS_URL", 6379, {"PAYCHAOS_REDIS_URL": "6379"})
