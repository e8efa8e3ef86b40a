"""Real 10.0.1 clients in one room at one time end with the same content and the same hashes."""

import asyncio

from .client_host import ClientHost
from .server_process import ServerProcess

CLIENTS = 10
ROUNDS = 5


async def test_two_clients_converge_on_tables_and_values(
    server: ServerProcess, host: ClientHost, room: str
) -> None:
    url = server.room_url(room)
    first, second = await host.joined(url), await host.joined(url)
    await first.call("setTables", {"pets": {"fido": {"species": "dog", "price": 5}}})
    await second.call("setValues", {"open": True, "employees": 3})
    await first.until_content(
        {"pets": {"fido": {"species": "dog", "price": 5}}}, {"open": True, "employees": 3}
    )
    await host.until_equal(first, second)


async def test_what_two_clients_brought_along_is_merged_when_they_meet(
    server: ServerProcess, host: ClientHost, room: str
) -> None:
    first, second = await host.store(), await host.store()
    await first.call("setCell", "pets", "fido", "species", "dog")
    await second.call("setCell", "pets", "felix", "species", "cat")
    await second.call("setValues", {"open": False})
    await asyncio.gather(first.join(server.room_url(room)), second.join(server.room_url(room)))
    await first.until_content(
        {"pets": {"fido": {"species": "dog"}, "felix": {"species": "cat"}}}, {"open": False}
    )
    await host.until_equal(first, second)


async def test_ten_clients_with_conflicting_writes_converge_with_each_other_and_a_fresh_one(
    server: ServerProcess, host: ClientHost, room: str
) -> None:
    url = server.room_url(room)
    clients = await asyncio.gather(*(host.joined(url) for _ in range(CLIENTS)))
    for number in range(ROUNDS):
        await asyncio.gather(
            *(
                client.transaction(
                    ("setCell", "fought", "over", "cell", f"{client.name} {number}"),
                    ("setCell", "own", client.name, f"c{number}", number),
                    ("setValue", "fought", f"{client.name} {number}"),
                    ("delRow" if number % 2 else "addRow", "fought", "0" if number % 2 else {}),
                    ("delCell", "fought", "over", f"c{number}"),
                )
                for client in clients
            )
        )
    await host.until_equal(*clients)
    tables, values = await clients[0].content()
    own_row = {f"c{number}": number for number in range(ROUNDS)}
    assert tables["own"] == {client.name: own_row for client in clients}
    final_writes = {f"{client.name} {ROUNDS - 1}" for client in clients}
    assert tables["fought"]["over"]["cell"] in final_writes
    assert values["fought"] in final_writes
    fresh = await host.joined(url)
    await host.until_equal(fresh, *clients)


async def test_a_transaction_arrives_as_a_whole(
    server: ServerProcess, host: ClientHost, room: str
) -> None:
    url = server.room_url(room)
    writer, reader = await host.joined(url), await host.joined(url)
    await writer.transaction(
        ("setRow", "accounts", "alice", {"balance": 10}),
        ("setRow", "accounts", "bob", {"balance": 0}),
    )
    await writer.transaction(
        ("setCell", "accounts", "alice", "balance", 4),
        ("setCell", "accounts", "bob", "balance", 6),
        ("setValue", "transfers", 1),
    )
    await reader.until_content(
        {"accounts": {"alice": {"balance": 4}, "bob": {"balance": 6}}}, {"transfers": 1}
    )
    await host.until_equal(writer, reader)


async def test_deleted_cells_rows_tables_and_values_stay_deleted_for_a_fresh_client(
    server: ServerProcess, host: ClientHost, room: str
) -> None:
    url = server.room_url(room)
    first, second = await host.joined(url), await host.joined(url)
    await first.call("setTables", {
        "gone": {"r": {"c": 1}},
        "kept": {"gone": {"c": 1}, "kept": {"gone": 1, "kept": 2}},
    })  # fmt: skip
    await first.call("setValues", {"gone": 1, "kept": 2})
    await host.until_equal(first, second)
    await second.call("delTable", "gone")
    await second.call("delRow", "kept", "gone")
    await second.call("delCell", "kept", "kept", "gone")
    await second.call("delValue", "gone")
    await first.until_content({"kept": {"kept": {"kept": 2}}}, {"kept": 2})
    await first.receipt()
    hashes = await first.hashes()
    await first.leave()
    await second.leave()
    fresh = await host.joined(url)
    await fresh.until_content({"kept": {"kept": {"kept": 2}}}, {"kept": 2})
    await fresh.until_hashes(hashes)


async def test_all_tables_and_all_values_can_be_deleted_and_written_again(
    server: ServerProcess, host: ClientHost, room: str
) -> None:
    url = server.room_url(room)
    first, second = await host.joined(url), await host.joined(url)
    await first.call("setTables", {"t": {"r": {"c": 1, "d": 2}}, "u": {"r": {"c": 1}}})
    await first.call("setValues", {"a": 1, "b": 2})
    await host.until_equal(first, second)
    await second.call("delTables")
    await second.call("delValues")
    await first.until_content({})
    await first.call("setCell", "t", "r", "c", "again")
    await first.call("setValue", "a", "again")
    await second.until_content({"t": {"r": {"c": "again"}}}, {"a": "again"})
    fresh = await host.joined(url)
    await host.until_equal(first, second, fresh)


async def test_rooms_do_not_leak_into_one_another(
    server: ServerProcess, host: ClientHost, room: str
) -> None:
    rooms = [room, f"{room}/", f"{room}/inner", f"{room}%2Finner"]
    writers = await asyncio.gather(*(host.joined(server.room_url(path)) for path in rooms))
    for writer, path in zip(writers, rooms, strict=True):
        await writer.call("setCell", "names", "of", "room", path)
    await asyncio.gather(*(writer.receipt() for writer in writers))
    readers = await asyncio.gather(*(host.joined(server.room_url(path)) for path in rooms))
    for writer, reader, path in zip(writers, readers, rooms, strict=True):
        await host.until_equal(writer, reader)
        assert await reader.content() == [{"names": {"of": {"room": path}}}, {}]


async def test_the_query_of_the_url_does_not_change_the_room(
    server: ServerProcess, host: ClientHost, room: str
) -> None:
    first = await host.joined(server.room_url(f"{room}?token=one"))
    second = await host.joined(server.room_url(f"{room}?token=two"))
    await first.call("setValues", {"met": True})
    await second.until_content({}, {"met": True})
