"""fake_provider."""
