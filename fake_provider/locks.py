"""Object locks: two mutations of one payment never overlap."""

from collections.abc import Iterable

from fake_provider.account import Account
from fake_provider.call import Call


class Locks:
    """Which objects are being changed, and until when."""

    def __init__(self) -> None:
        self._until_us: dict[str, int] = {}

    def names(self, account: Account, call: Call) -> tuple[str, ...]:
        """The objects that a call changes: the one in its path, or the payment of a refund; a charge stands for
        its intent."""
        params = call.params
        given = call.object_id or params.get("payment_intent") or params.get("charge")
        if not isinstance(given, str):
            return ()
        refund = account.refunds.get(given)
        charge = account.charges.get(refund["charge"] if refund is not None else given)
        return ((charge["payment_intent"] or charge["id"]) if charge is not None else given,)

    def free_us(self, names: Iterable[str], now_us: int) -> int:
        """When all these are free: `now_us` if they are."""
        return max((self._until_us.get(name, now_us) for name in names), default=now_us)

    def hold(self, names: Iterable[str], until_us: int) -> None:
        """Locks them until a time that is known beforehand: all work here takes a known time."""
        for name in names:
            self._until_us[name] = until_us
