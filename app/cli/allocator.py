"""How the C library gives memory back: what large messages took returns to the system.

glibc raises its own threshold for memory that is given back at once whenever a large piece is
freed, up to 32 MiB. A burst of large messages then leaves holes between small things that live
on, and the process stays as large as it was at its worst. With a fixed threshold everything from
64 KiB on is a mapping of its own. It costs some microseconds for each such piece, which takes
longer than that to be read or written.
"""

import ctypes

_MMAP_THRESHOLD = -3
"""M_MMAP_THRESHOLD of malloc.h."""
_LARGE_BYTES = 1 << 16


def give_memory_back() -> bool:
    """Fix the threshold for this process; False where the C library has no such thing."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and bool(mallopt(_MMAP_THRESHOLD, _LARGE_BYTES))
