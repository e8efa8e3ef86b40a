"""Samples are added up by function: its own, and those of what it called."""

from bench.profiles import Profile, Spent, spent

FOLDED = """\
main (app/cli.py:10);loop (uvloop.so);take (app/room/room.py:120);send (libc.so) 6
main (app/cli.py:10);loop (uvloop.so);take (app/room/room.py:120) 3
main (app/cli.py:10);loop (uvloop.so);take (app/room/room.py:120);take (app/room/room.py:120) 1
"""


def test_the_most_costly_function_comes_first() -> None:
    profile = spent(FOLDED, top=2)
    assert profile.samples == 10
    assert profile.top == [
        Spent(place="send (libc.so)", own=0.6, total=0.6),
        Spent(place="take (app/room/room.py)", own=0.4, total=1.0),
    ]


def test_nothing_sampled_is_an_empty_list() -> None:
    assert spent("") == Profile(top=[], samples=0)


def test_threads_that_wait_do_not_count() -> None:
    waiting = """\
main (app/cli.py:10);uv_run (core.c:464);epoll_pwait (libc.so.6) 50
worker (thread.py:1);PyThread_acquire_lock_timed (libpython3.11.so);0x7f7ab3ca3f16 (libc.so.6) 50
"""
    assert spent(waiting).samples == 0
    assert spent(FOLDED + waiting) == spent(FOLDED)
