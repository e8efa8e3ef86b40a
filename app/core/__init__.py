"""The vocabulary of the house: ids, errors, clocks, values and ports. No I/O happens here."""
