"""The test cards: what happens to a payment made with each.

Captured from the public testing page of Stripe; `token` names are the older aliases that client code still
uses.
"""

from dataclasses import dataclass, replace

DECLINED = "Your card was declined."


@dataclass(frozen=True, slots=True)
class Decline:
    """Why a card is refused; `code` and `decline_code` as in the error object."""

    code: str = "card_declined"
    decline_code: str | None = "generic_decline"
    message: str = DECLINED


@dataclass(frozen=True, slots=True)
class Card:
    """One test card. attaches: may be saved to a customer; authenticates: always asks for 3-D Secure; refund:
    what becomes of refunds (`pending` or `failed`); at_once: the money is available without waiting."""

    name: str
    number: str
    brand: str = "visa"
    decline: Decline | None = None
    attaches: bool = True
    authenticates: bool = False
    blocked: bool = False
    disputes: bool = False
    refund: str = ""
    at_once: bool = False

    @property
    def last4(self) -> str:
        return self.number[-4:]


def decline_of(code: str, decline_code: str | None) -> Decline:
    """A decline with the usual text of its code."""
    return Decline(
        code, decline_code or None, MESSAGES.get(decline_code or code) or MESSAGES.get(code, DECLINED)
    )


MESSAGES = {
    "insufficient_funds": "Your card has insufficient funds.",
    "card_velocity_exceeded": "Your card was declined for making repeated attempts too frequently or "
    "exceeding its amount limit.",
    "expired_card": "Your card has expired.",
    "incorrect_cvc": "Your card's security code is incorrect.",
    "incorrect_number": "Your card number is incorrect.",
    "processing_error": "An error occurred while processing your card. Try again in a little bit.",
    "authentication_required": "Your card was declined. This transaction requires authentication.",
}


def _declining(
    name: str, number: str, code: str, decline_code: str | None, *, attaches: bool = False
) -> Card:
    return Card(name, number, decline=decline_of(code, decline_code), attaches=attaches)


CARDS: tuple[Card, ...] = (
    Card("visa", "4242424242424242"),
    Card("visa_debit", "4000056655665556"),
    Card("mastercard", "5555555555554444", "mastercard"),
    Card("mastercard_debit", "5200828282828210", "mastercard"),
    Card("amex", "378282246310005", "amex"),
    Card("discover", "6011111111111117", "discover"),
    Card("diners", "3056930009020004", "diners"),
    Card("jcb", "3566002020360505", "jcb"),
    Card("unionpay", "6200000000000005", "unionpay"),
    _declining("visa_chargeDeclined", "4000000000000002", "card_declined", "generic_decline"),
    _declining(
        "visa_chargeDeclinedInsufficientFunds", "4000000000009995", "card_declined", "insufficient_funds"
    ),
    _declining("visa_chargeDeclinedLostCard", "4000000000009987", "card_declined", "lost_card"),
    _declining("visa_chargeDeclinedStolenCard", "4000000000009979", "card_declined", "stolen_card"),
    _declining("chargeDeclinedExpiredCard", "4000000000000069", "expired_card", None),
    _declining("chargeDeclinedIncorrectCvc", "4000000000000127", "incorrect_cvc", None),
    _declining("chargeDeclinedProcessingError", "4000000000000119", "processing_error", None),
    _declining(
        "visa_chargeDeclinedVelocityLimitExceeded",
        "4000000000006975",
        "card_declined",
        "card_velocity_exceeded",
    ),
    _declining("chargeCustomerFail", "4000000000000341", "card_declined", "generic_decline", attaches=True),
    replace(
        _declining("radarBlock", "4100000000000019", "card_declined", "fraudulent", attaches=True),
        blocked=True,
    ),
    Card("authenticationRequired", "4000002760003184", authenticates=True),
    Card("threeDSecure2Required", "4000000000003220", authenticates=True),
    Card("createDispute", "4000000000000259", disputes=True),
    Card("pendingRefund", "4000000000007726", refund="pending"),
    Card("refundFail", "4000000000005126", refund="failed"),
    Card("bypassPending", "4000000000000077", at_once=True),
)
BY_NUMBER = {card.number: card for card in CARDS}


def _aliases() -> dict[str, Card]:
    """Every name a client may use: `pm_card_X` and `tok_X`, with and without the `visa_` of declines."""
    names: dict[str, Card] = {}
    for card in CARDS:
        for name in {card.name, card.name.removeprefix("visa_")}:
            names[f"pm_card_{name}"] = card
            names[f"tok_{name}"] = card
    names["pm_card_threeDSecureRequired"] = names["tok_threeDSecureRequired"] = names[
        "pm_card_threeDSecure2Required"
    ]
    return names


ALIASES = _aliases()
