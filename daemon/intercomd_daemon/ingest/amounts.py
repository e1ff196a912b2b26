"""Money in decimal arithmetic: text to exact numbers, and to whole numbers of a currency's smallest unit.

"19.99 in currency becomes 1998.9999999999998 cents" with binary floats; so there are none here.
"""

import re
from decimal import ROUND_HALF_EVEN, Context, Decimal

from intercomd_daemon.ingest.limits import AMOUNT_DIGITS_MAX

_DECIMAL = re.compile(r"-?[0-9]+(?:\.[0-9]+)?", re.ASCII)
_CODE = re.compile(r"[A-Za-z]{3}", re.ASCII)
# The digits of an amount, shifted by at most four places, always fit.
_CONTEXT = Context(prec=AMOUNT_DIGITS_MAX + 6, rounding=ROUND_HALF_EVEN)
_EXPONENT = 2
# ISO 4217 (list one, 2024): the currencies whose smallest unit is not a hundredth.
_WITHOUT = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THOUSANDTHS = "BHD IQD JOD KWD LYD OMR TND"
_TEN_THOUSANDTHS = "CLF UYW"
_OTHER_EXPONENTS = {
    **dict.fromkeys(_WITHOUT.split(), 0),
    **dict.fromkeys(_THOUSANDTHS.split(), 3),
    **dict.fromkeys(_TEN_THOUSANDTHS.split(), 4),
}

AMOUNT_WANTED = f'decimal text such as "19.99" or "-5" is wanted, with at most {AMOUNT_DIGITS_MAX} digits'
CURRENCY_WANTED = 'the three letters of ISO 4217 are wanted, such as "USD"'


def decimal_of(text: str) -> Decimal | None:
    """The exact number that decimal text says ("19.99", "-5": no exponent, no grouping); None if it says none."""
    if len(text) > AMOUNT_DIGITS_MAX + 2 or not _DECIMAL.fullmatch(text):
        return None
    return Decimal(text) if sum(map(str.isdigit, text)) <= AMOUNT_DIGITS_MAX else None


def currency_of(code: str) -> str | None:
    """The currency's code in upper case; None if it is no code."""
    return code.upper() if _CODE.fullmatch(code) else None


def smallest_units(amount: Decimal, currency: str) -> tuple[int, bool]:
    """The amount in the currency's smallest unit, half to even, and whether digits were lost.

    Intercom: money is `{"amount": <integer cents>, "currency": "USD"}`, "the smallest unit: for JPY that is the yen".
    """
    exact = amount.scaleb(_OTHER_EXPONENTS.get(currency, _EXPONENT), _CONTEXT)
    whole = exact.to_integral_value(ROUND_HALF_EVEN, _CONTEXT)
    return int(whole), whole != exact
