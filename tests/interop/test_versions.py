"""Old TinyBase clients beside a 10.0.1 client in one room."""

import pytest

from .client_host import OLD_VERSIONS, ClientHost
from .server_process import ServerProcess


@pytest.mark.parametrize("version", OLD_VERSIONS)
async def test_an_old_client_and_a_new_one_converge_in_both_directions(
    server: ServerProcess, host: ClientHost, room: str, version: str
) -> None:
    url = server.room_url(room)
    old, new = await host.store(version=version), await host.store()
    await old.call(
        "setTables", {"pets": {"fido": {"species": "dog", "price": 4.35, "sold": False}}}
    )
    await new.call("setTables", {"pets": {"felix": {"species": "cat"}}})
    await new.call("setValues", {"from": "new \U0001f600", "tiny": 5e-324})
    await old.join(url)
    await new.join(url)
    await host.until_equal(old, new)
    await old.call("setCell", "pets", "felix", "color", "schwärzlich \u2028 1e21")
    await old.call("setValue", "from", "old")
    await new.call("setCell", "pets", "fido", "price", 1e21)
    await new.call("delCell", "pets", "fido", "sold")
    await host.until_equal(old, new)
    await old.call("delRow", "pets", "felix")
    await new.call("delValue", "tiny")
    await new.until_content({"pets": {"fido": {"species": "dog", "price": 1e21}}}, {"from": "old"})
    await host.until_equal(old, new)
    await new.receipt()
    await old.leave()
    await new.leave()
    fresh_old = await host.joined(url, version=version)
    await host.until_equal(new, fresh_old)
    fresh_new = await host.joined(url)
    await host.until_equal(new, fresh_new)


async def test_all_versions_at_once_converge(
    server: ServerProcess, host: ClientHost, room: str
) -> None:
    url = server.room_url(room)
    stores = [await host.joined(url, version=version) for version in OLD_VERSIONS]
    stores.append(await host.joined(url))
    for number, store in enumerate(stores):
        await store.call("setCell", "t", "shared", "cell", number)
        await store.call("setCell", "t", f"own {number}", "cell", number)
    await host.until_equal(*stores)
    tables, _values = await stores[0].content()
    assert len(tables["t"]) == len(stores) + 1
