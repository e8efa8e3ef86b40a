"""Where the two answer differently on purpose, and why.

Each entry is checked: an outcome that has become the same must leave the list.
"""

from typing import Final

DIFFERENCES: Final[dict[int, str]] = {
    77: "we refuse batches of more than 128 keys, as documented; workerd's SQL storage takes them",
    86: "we refuse values beyond the documented limit; workerd on one machine takes them",
}
