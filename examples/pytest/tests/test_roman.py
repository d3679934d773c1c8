import pytest

from roman import from_roman, to_roman


@pytest.mark.parametrize(("number", "text"), [(1, "I"), (4, "IV"), (1994, "MCMXCIV"), (3999, "MMMCMXCIX")])
def test_known_numbers(number, text):
    assert to_roman(number) == text
    assert from_roman(text) == number


def test_every_number_reads_back():
    assert all(from_roman(to_roman(number)) == number for number in range(1, 4000))


@pytest.mark.parametrize("text", ["", "IIII", "IC", "abc"])
def test_odd_spellings_are_refused(text):
    with pytest.raises(ValueError):
        from_roman(text)


@pytest.mark.skip(reason="the Romans had no zero")
def test_zero():
    assert to_roman(0) == ""
