"""Roman numerals."""

_VALUES = {"M": 1000, "CM": 900, "D": 500, "CD": 400, "C": 100, "XC": 90, "L": 50, "XL": 40,
           "X": 10, "IX": 9, "V": 5, "IV": 4, "I": 1}


def to_roman(number: int) -> str:
    """`number`, from 1 to 3999, as the Romans wrote it."""
    if not 0 < number < 4000:
        raise ValueError(f"{number} has no Roman numeral")
    text = ""
    for letters, value in _VALUES.items():
        times, number = divmod(number, value)
        text += letters * times
    return text


def from_roman(text: str) -> int:
    """The number that `text` stands for; only the usual spelling counts."""
    number = 0
    rest = text
    for letters, value in _VALUES.items():
        while rest.startswith(letters):
            number, rest = number + value, rest[len(letters):]
    if rest or not number or to_roman(number) != text:
        raise ValueError(f"{text!r} is no Roman numeral")
    return number
