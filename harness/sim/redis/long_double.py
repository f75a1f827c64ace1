"""The x86-64 `long double` in which redis-server adds for INCRBYFLOAT and HINCRBYFLOAT, exactly."""

import math
import re
from fractions import Fraction

_NUMBER = re.compile(rb"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)
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
