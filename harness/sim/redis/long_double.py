"""The x86-64 `long double` in which redis-server adds for INCRBYFLOAT and HINCRBYFLOAT, exactly."""

import math
import re
from fractions import Fraction

from harness.sim.redis.arguments import NOT_A_FLOAT
from harness.sim.redis.borrowed import SimpleError

_NUMBER = re.compile(rb"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)
_NOT_FINITE = "ERR increment would produce NaN or Infinity"
_MANTISSA_BITS = 64
_GREATEST_EXPONENT = 16384
_LEAST_EXPONENT = -16382
_LONGEST = 255
_DIGITS = 17


def parse(text: bytes) -> Fraction | float | None:
    """The number that redis-server reads; a float only for infinity; None if it is no number to it."""
    word = text.lower().lstrip(b"+-")
    if word in (b"inf", b"infinity"):
        return -math.inf if text[:1] == b"-" else math.inf
    if len(text) > _LONGEST or not _NUMBER.fullmatch(text):
        return None
    exponent = abs(int(word.partition(b"e")[2] or b"0"))
    if exponent > _GREATEST_EXPONENT:
        return None
    number = rounded(Fraction(text.decode()))
    if number and not 2 ** Fraction(_LEAST_EXPONENT) <= abs(number) < 2**_GREATEST_EXPONENT:
        return None
    return number


def rounded(number: Fraction) -> Fraction:
    """The nearest number with a mantissa of 64 bits, ties to even."""
    if not number:
        return number
    exponent = abs(number.numerator).bit_length() - number.denominator.bit_length()
    if abs(number) < Fraction(2) ** exponent:
        exponent -= 1
    unit = Fraction(2) ** (exponent - _MANTISSA_BITS + 1)
    return round(number / unit) * unit


def text_of(number: Fraction) -> bytes:
    """`%.17Lf` without the zeros at its end."""
    scaled = round(abs(number) * 10**_DIGITS)
    whole, part = divmod(scaled, 10**_DIGITS)
    text = f"{whole}.{part:0{_DIGITS}d}".rstrip("0").rstrip(".")
    return (f"-{text}" if number < 0 and scaled else text).encode()


def sum_of(current: bytes, increment: bytes, not_a_float: str) -> bytes:
    """The sum as redis-server stores it; `not_a_float` is the error if `current` is no number."""
    first, second = parse(current), parse(increment)
    if first is None:
        raise SimpleError(not_a_float)
    if second is None:
        raise SimpleError(NOT_A_FLOAT)
    if isinstance(first, float) or isinstance(second, float):
        raise SimpleError(_NOT_FINITE)
    return text_of(rounded(first + second))
