"""Where other workers are told to dial this one."""

import pytest

from app.core.errors import ConfigurationInvalid
from app.wiring.link_address import link_address, unreachable

SOCKET = "postgresql://stateroom@/postgres?host=/run/postgres"


async def _address(
    told: str = "",
    *,
    slot: int = 0,
    bound: tuple[str, int] = ("127.0.0.1", 7001),
    database_url: str = SOCKET,
) -> str:
    return await link_address(
        told, slot=slot, bound_host=bound[0], bound_port=bound[1], database_url=database_url
    )


async def test_a_listener_on_one_address_is_dialled_there() -> None:
    assert await _address() == "127.0.0.1:7001"
    assert await _address(bound=("::1", 7001)) == "[::1]:7001"


@pytest.mark.parametrize(
    ("told", "slot", "expected"),
    [
        ("worker.example", 0, "worker.example:7001"),
        ("worker.example:9000", 0, "worker.example:9000"),
        ("worker.example:9000", 2, "worker.example:9002"),
        ("[fd00::1]:9000", 1, "[fd00::1]:9001"),
        ("fd00::1", 1, "[fd00::1]:7001"),  # as Kubernetes writes status.podIP
    ],
)
async def test_what_is_told_counts_and_a_told_port_is_counted_on_by_slot(
    told: str, slot: int, expected: str
) -> None:
    assert await _address(told, slot=slot, bound=("0.0.0.0", 7001)) == expected


@pytest.mark.parametrize("told", ["http://a", "a:b", "user@a:1", "a:1/b", ":9000"])
async def test_an_address_that_makes_no_sense_is_refused(told: str) -> None:
    with pytest.raises(ConfigurationInvalid, match="STATEROOM_INTERNAL_ADDRESS"):
        await _address(told)


@pytest.mark.parametrize("wildcard", ["0.0.0.0", "::"])
@pytest.mark.parametrize(
    ("database_url", "expected"),
    [
        (SOCKET, "127.0.0.1:7001"),
        ("postgresql://u:p@%2Frun%2Fpostgres/db", "127.0.0.1:7001"),
        ("postgresql://u:p@127.0.0.1:5432/db", "127.0.0.1:7001"),
        ("postgresql://u:p@127.0.0.1:5432,127.0.0.2:5432/db", "127.0.0.1:7001"),
    ],
)
async def test_a_listener_on_all_addresses_says_the_one_that_faces_the_database(
    wildcard: str, database_url: str, expected: str
) -> None:
    assert await _address(bound=(wildcard, 7001), database_url=database_url) == expected


async def test_when_it_cannot_be_found_out_the_start_says_which_setting_helps() -> None:
    with pytest.raises(ConfigurationInvalid, match="STATEROOM_INTERNAL_ADDRESS must be set"):
        await _address(bound=("0.0.0.0", 7001), database_url="postgresql://u@nowhere.invalid/db")


@pytest.mark.parametrize(
    ("own", "elsewhere", "expected"),
    [
        ("127.0.0.1:1", [], []),
        ("10.0.0.1:1", ["10.0.0.2:1", "worker.example:1"], []),
        ("127.0.0.1:1", ["10.0.0.2:1"], ["127.0.0.1:1"]),
        ("10.0.0.1:1", ["localhost:1", "[::1]:1"], ["[::1]:1", "localhost:1"]),
    ],
)
def test_loopback_addresses_lead_nowhere_when_there_are_several_machines(
    own: str, elsewhere: list[str], expected: list[str]
) -> None:
    assert unreachable(own, elsewhere) == expected
