"""Money in decimal arithmetic: parses amounts and currency codes, and converts to a currency's smallest unit.

Binary floats would turn 19.99 into "1998.9999999999998 cents".
"""

import re
from decimal import ROUND_HALF_EVEN, Context, Decimal

from intercomd_daemon.errors import quoted
from intercomd_daemon.ingest.limits import AMOUNT_DIGITS_MAX

_DECIMAL = re.compile(r"-?[0-9]+(?:\.[0-9]+)?", re.ASCII)
# Enough for the digits of an amount, shifted by at most four places.
_CONTEXT = Context(prec=AMOUNT_DIGITS_MAX + 6, rounding=ROUND_HALF_EVEN)
_EXPONENT = 2
# ISO 4217 (list one, 2024): the currencies whose smallest unit is not a hundredth.
_WITHOUT_DECIMALS = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THOUSANDTHS = "BHD IQD JOD KWD LYD OMR TND"
_TEN_THOUSANDTHS = "CLF UYW"
_OTHER_EXPONENTS = {
    **dict.fromkeys(_WITHOUT_DECIMALS.split(), 0),
    **dict.fromkeys(_THOUSANDTHS.split(), 3),
    **dict.fromkeys(_TEN_THOUSANDTHS.split(), 4),
}
# ISO 4217, from iso-codes 4.15.0 (2023), with XAD, XCG and ZWG, added until 2025. Codes that have been withdrawn since
# then (BGN, HRK) stay: an event may report an old purchase.
_LISTED = (
    "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD "
    "CDF CHE CHF CHW CLF CLP CNY COP COU CRC CUC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS "
    "GIP GMD GNF GTQ GYD HKD HNL HRK HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD "
    "KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR "
    "NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SLL SOS SRD SSP STN "
    "SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD USN UYI UYU UYW UZS VED VES VND VUV WST XAD XAF "
    "XAG XAU XBA XBB XBC XBD XCD XCG XDR XOF XPD XPF XPT XSU XTS XUA XXX YER ZAR ZMW ZWG ZWL "
)
_CODES = frozenset(_LISTED.split())


def invalid_amount(text: str) -> str:
    """Returns the message about text that is not an amount."""
    return f'invalid amount {quoted(text)}: expected decimal text such as "19.99" of at most {AMOUNT_DIGITS_MAX} digits'


def unknown_currency(code: str) -> str:
    """Returns the message about text that is not a currency code."""
    return f'unknown currency {quoted(code)}: expected a code of ISO 4217, such as "USD"'


def decimal_of(text: str) -> Decimal | None:
    """Parses decimal text ("19.99", "-5": no exponent, no grouping) exactly; returns None for any other text."""
    if len(text) > AMOUNT_DIGITS_MAX + 2 or not _DECIMAL.fullmatch(text):
        return None
    return Decimal(text) if sum(map(str.isdigit, text)) <= AMOUNT_DIGITS_MAX else None


def currency_of(code: str) -> str | None:
    """Returns the code in upper case, or None if ISO 4217 does not list it."""
    upper = code.upper()
    return upper if upper in _CODES and code.isascii() else None


def smallest_units(amount: Decimal, currency: str) -> tuple[int, bool]:
    """Returns the amount in the currency's smallest unit, rounded half to even, and whether digits were lost.

    Intercom: money is `{"amount": <integer cents>, "currency": "USD"}`, "the smallest unit: for JPY that is the yen".
    """
    exact = amount.scaleb(_OTHER_EXPONENTS.get(currency, _EXPONENT), _CONTEXT)
    whole = exact.to_integral_value(ROUND_HALF_EVEN, _CONTEXT)
    return int(whole), whole != exact
