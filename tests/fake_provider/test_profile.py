"""Profiles: the rules of a provider as a TOML file, and what is said about a file that is none."""

from pathlib import Path

import pytest

from fake_provider import Profile, ProfileError
from fake_provider.profile import shipped_profiles


def test_the_shipped_default_says_what_the_code_says() -> None:
    assert Profile.load("stripe_v1") == Profile.stripe_v1() == Profile()


def test_three_profiles_ship_each_with_a_line_that_says_what_it_is() -> None:
    assert sorted(shipped_profiles()) == ["duplicate_check", "stripe_v1", "two_xx_only"]
    assert all(path.read_text(encoding="utf-8").startswith("# ") for path in shipped_profiles().values())


def test_a_file_of_ones_own_takes_seconds_and_keeps_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        'latency_s = 0.08\nwebhook_retries_s = [1, 2.5]\nids = "long"\npayout_automatic = false\n'
    )
    profile = Profile.load(path)
    assert (profile.name, profile.latency_us, profile.webhook_retries_us) == (
        "mine",
        80_000,
        (1_000_000, 2_500_000),
    )
    assert (profile.ids, profile.payout_automatic, profile.window_us) == ("long", False, 86_400_000_000)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("latency_ms = 3", "unknown setting 'latency_ms'. Did you mean 'latency_s'?"),
        ("latency_us = 3", "unknown setting 'latency_us'. Did you mean 'latency_s'?"),
        ('latency_s = "3"', "'latency_s' is '3'; it must be a number of seconds, 0 or more."),
        ("latency_s = -1", "'latency_s' is -1; it must be a number of seconds, 0 or more."),
        ("webhook_retries_s = 3", "'webhook_retries_s' is 3; it must be a list of seconds."),
        ('stored = "all"', "'stored' is 'all'; it must be one of executed, 2xx, none."),
        ("payout_automatic = 1", "'payout_automatic' is 1; it must be true or false."),
        ("minimum_amount = -1", "'minimum_amount' is -1; it must be a whole number, 0 or more."),
        ("duplicate_members = [1]", "'duplicate_members' is [1]; it must be a list of texts."),
    ],
)
def test_a_wrong_setting_is_named_with_its_rule(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(ProfileError) as caught:
        Profile.load(path)
    assert str(caught.value) == f"{path}: {message}"


def test_a_file_that_is_not_toml_says_where(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("latency_s 3")
    with pytest.raises(ProfileError, match=r"mine\.toml is not TOML: Expected '=' after a key"):
        Profile.load(path)
