"""Payment intents as data: their members, the parameters of their operations, and what their statuses allow."""

from typing import Any

from fake_provider.parameters import Echo, Spec, boolean, choice, integer, metadata, table, text, texts

_FIELDS: dict[str, Any] = {
    "amount": integer(),
    "currency": text,
    "customer": text,
    "payment_method": text,
    "payment_method_data": table,
    "payment_method_types": texts,
    "payment_method_options": table,
    "metadata": metadata,
    "description": text,
    "receipt_email": text,
    "shipping": table,
    "statement_descriptor": text,
    "statement_descriptor_suffix": text,
    "setup_future_usage": choice("off_session", "on_session"),
    "application_fee_amount": integer(0),
    "transfer_data": table,
}
_CONFIRM: dict[str, Any] = {
    "off_session": text,
    "return_url": text,
    "error_on_requires_action": boolean,
    "mandate_data": table,
}
CREATE = Spec(
    "amount",
    "currency",
    **_FIELDS,
    **_CONFIRM,
    confirm=boolean,
    automatic_payment_methods=table,
    capture_method=choice("automatic", "automatic_async", "manual"),
    confirmation_method=choice("automatic", "manual"),
)
UPDATE = Spec(**_FIELDS)
CONFIRM = Spec(
    **_CONFIRM,
    payment_method=text,
    payment_method_data=table,
    receipt_email=text,
    shipping=table,
    capture_method=choice("automatic", "automatic_async", "manual"),
)
CAPTURE = Spec(amount_to_capture=integer(1), metadata=metadata, final_capture=boolean)
CANCEL = Spec(cancellation_reason=choice("duplicate", "fraudulent", "requested_by_customer", "abandoned"))

SETTABLE = frozenset(
    {
        "description",
        "receipt_email",
        "setup_future_usage",
        "shipping",
        "statement_descriptor",
        "statement_descriptor_suffix",
        "transfer_group",
        "transfer_data",
        "payment_method_options",
        "application_fee_amount",
        "on_behalf_of",
    }
)
COMMANDS = frozenset(
    {
        "confirm",
        "expand",
        "off_session",
        "return_url",
        "error_on_requires_action",
        "payment_method_data",
        "mandate_data",
        "mandate",
        "use_stripe_sdk",
        "radar_options",
        "intent",
        "client_secret",
        "final_capture",
        "amount_to_capture",
    }
)
TEMPLATE: dict[str, Any] = {
    "id": "",
    "object": "payment_intent",
    "amount": 0,
    "amount_capturable": 0,
    "amount_details": {"tip": {}},
    "amount_received": 0,
    "application": None,
    "application_fee_amount": None,
    "automatic_payment_methods": None,
    "canceled_at": None,
    "cancellation_reason": None,
    "capture_method": "automatic",
    "client_secret": "",
    "confirmation_method": "automatic",
    "created": 0,
    "currency": "",
    "customer": None,
    "description": None,
    "last_payment_error": None,
    "latest_charge": None,
    "livemode": False,
    "metadata": {},
    "next_action": None,
    "on_behalf_of": None,
    "payment_method": None,
    "payment_method_configuration_details": None,
    "payment_method_options": {},
    "payment_method_types": ["card"],
    "processing": None,
    "receipt_email": None,
    "review": None,
    "setup_future_usage": None,
    "shipping": None,
    "source": None,
    "statement_descriptor": None,
    "statement_descriptor_suffix": None,
    "status": "requires_payment_method",
    "transfer_data": None,
    "transfer_group": None,
}
ECHO = Echo(TEMPLATE, SETTABLE, COMMANDS)
CONFIRMABLE = ("requires_payment_method", "requires_confirmation", "requires_action")
CANCELABLE = ("requires_payment_method", "requires_capture", "requires_confirmation", "requires_action")
