"""Which statements are compared: importing the cases registers them."""

from typing import Final

from tests.interop.compared import (
    about_events,
    about_gates,
    about_ids,
    about_kills,
    about_sockets,
    about_storage,
)
from tests.interop.compared.cases import CASES

ABOUT: Final = (about_events, about_gates, about_ids, about_kills, about_sockets, about_storage)
NUMBERS: Final = sorted((*CASES, *about_kills.NUMBERS))
