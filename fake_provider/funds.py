"""What the merchant has at the provider, by currency and availability, kept as running sums."""


class Funds:
    """Sums of money, pending and available, in minor units."""

    def __init__(self) -> None:
        self._sums: dict[tuple[str, str], int] = {}

    def add(self, status: str, currency: str, amount: int) -> None:
        """Changes one sum; `status` is `pending` or `available`."""
        key = (status, currency)
        self._sums[key] = self._sums.get(key, 0) + amount

    def sum(self, status: str, currency: str) -> int:
        """One sum."""
        return self._sums.get((status, currency), 0)

    def currencies(self) -> list[str]:
        """All currencies that ever had money, sorted."""
        return sorted({currency for _, currency in self._sums})
