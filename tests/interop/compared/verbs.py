"""The verbs of `scripted.Scripted`, each as its twin in scripted.mjs does it."""

import asyncio
import inspect
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from app.sdk import Stub

REFUSED: Final = {"refused": True}
MISSING: Final = "(missing)"


class AsToldError(Exception):
    """What an object raises when it is told to."""

    def __init__(self) -> None:
        super().__init__("as told")


def told(value: Any) -> Any:
    """A value, or the word for none."""
    return MISSING if value is None else value


def many(count: int) -> list[str]:
    """So many keys."""
    return [f"k{number:03}" for number in range(count)]


def pairs(found: dict[str, Any]) -> list[list[Any]]:
    """Keys and values in their order."""
    return [[key, value] for key, value in found.items()]


def tested(action: Callable[[], Any]) -> str:
    """Whether something is accepted."""
    try:
        action()
    except (TypeError, ValueError, RuntimeError):
        return "refused"
    return "accepted"


# -- ids -------------------------------------------------------------------------------------------


async def unique_ids(o: Any, _s: Any) -> bool:
    namespace = o.ctx.namespace("scripted")
    return str(namespace.new_unique_id()) == str(namespace.new_unique_id())


async def id_of(o: Any, _s: Any, ns: str, name: str) -> str:
    return str(o.ctx.namespace(ns).id_from_name(name))


async def id_again(o: Any, _s: Any, ns: str, text: str) -> str:
    return str(o.ctx.namespace(ns).id_from_string(text))


async def id_names(o: Any, _s: Any, ns: str, name: str) -> list[Any]:
    namespace = o.ctx.namespace(ns)
    found = namespace.id_from_name(name)
    again = namespace.id_from_string(str(found))
    return [told(found.name), told(namespace.new_unique_id().name), told(again.name)]


async def ids_equal(o: Any, _s: Any, ns: str, name: str) -> bool:
    namespace = o.ctx.namespace(ns)
    found = namespace.id_from_name(name)
    return bool(found == namespace.id_from_string(str(found)))


async def stub_names(o: Any, _s: Any, ns: str, name: str) -> list[Any]:
    namespace = o.ctx.namespace(ns)
    stub = namespace.get_by_name(name)
    other = namespace.get(namespace.id_from_name(name))
    return [stub.id == other.id, stub.name, other.name]


async def own_name(o: Any, _s: Any) -> Any:
    return told(o.ctx.id.name)


# -- storage ---------------------------------------------------------------------------------------


async def get(_o: Any, s: Any, key: str) -> Any:
    return await s.get(key, MISSING)


async def get_many(_o: Any, s: Any, keys: list[str]) -> Any:
    return pairs(await s.get_many(keys))


async def get_count(_o: Any, s: Any, count: int) -> int:
    return len(await s.get_many(many(count)))


async def put(_o: Any, s: Any, key: str, value: Any) -> None:
    s.put(key, value)


async def put_many(_o: Any, s: Any, entries: dict[str, Any]) -> None:
    s.put_many(entries)


async def put_count(_o: Any, s: Any, count: int) -> None:
    s.put_many(dict.fromkeys(many(count), 1))


async def put_sized(_o: Any, s: Any, key: str, size: int) -> None:
    s.put(key, "x" * size)


async def put_key_sized(_o: Any, s: Any, size: int) -> None:
    s.put("k" * size, 1)


async def put_one_too_large(_o: Any, s: Any, size: int) -> None:
    s.put_many({"small": 1, "large": "x" * size})


async def put_then_change(_o: Any, s: Any, key: str) -> Any:
    value = {"list": [1]}
    s.put(key, value)
    value["list"].append(2)
    return await s.get(key)


async def put_and_get(_o: Any, s: Any, key: str, value: Any) -> list[Any]:
    before = s.get(key, MISSING)
    s.put(key, value)
    return [await before, await s.get(key)]


async def kinds(_o: Any, s: Any) -> list[Any]:
    when = datetime.fromtimestamp(86_400, UTC)
    s.put_many(
        {"when": when, "bytes": b"\x00\x01\xff", "set": {1, 2}, "nothing": None, "half": 0.5}
    )
    got = await s.get_many(["when", "bytes", "set", "nothing", "half"])
    return [
        got["when"] == when,
        list(got["bytes"]),
        sorted(got["set"]),
        got["nothing"],
        got["half"],
    ]


async def delete(_o: Any, s: Any, key: str) -> Any:
    return await s.delete(key)


async def delete_many(_o: Any, s: Any, keys: list[str]) -> Any:
    return await s.delete_many(keys)


async def delete_count(_o: Any, s: Any, count: int) -> Any:
    return await s.delete_many(many(count))


async def delete_all(_o: Any, s: Any) -> None:
    await s.delete_all()


async def list_(_o: Any, s: Any, options: dict[str, Any]) -> Any:
    return pairs(await s.list(**options))


async def sync(_o: Any, s: Any) -> None:
    await s.sync()


async def transaction(o: Any, s: Any, steps: list[Any], end: str) -> list[Any]:
    results: list[Any] = []

    async def closure(txn: Any) -> str:
        results.extend(await o.play(steps, txn))
        if end == "rollback":
            txn.rollback()
        elif end == "raise":
            raise AsToldError
        return "value"

    try:
        return [results, await s.transaction(closure)]
    except AsToldError:
        return [results, "raised"]


async def read_modify_write(_o: Any, s: Any, key: str) -> None:
    value = await s.get(key, 0)
    await s.put(key, value + 1)


# -- alarms ----------------------------------------------------------------------------------------


async def set_alarm(o: Any, s: Any, ms: int) -> None:
    s.set_alarm(o.ctx.now() + ms)


async def set_alarm_at(_o: Any, s: Any, ms: int) -> None:
    s.set_alarm(ms)


async def alarm_is(_o: Any, s: Any, ms: int) -> bool:
    return bool(await s.get_alarm() == ms)


async def alarm_set(_o: Any, s: Any) -> bool:
    return await s.get_alarm() is not None


async def delete_alarm(_o: Any, s: Any) -> None:
    s.delete_alarm()


# -- memory and events -----------------------------------------------------------------------------


async def mark(o: Any, _s: Any, word: Any) -> None:
    o.words.append(word)


async def words(o: Any, _s: Any) -> list[Any]:
    return list(o.words)


async def pause(_o: Any, _s: Any, ms: int) -> None:
    await asyncio.sleep(ms / 1000)  # noqa: TID251 - the real thing, in a server of its own


async def wait(o: Any, _s: Any) -> None:
    o.go_on = asyncio.Event()
    await o.go_on.wait()


async def go_on(o: Any, _s: Any) -> None:
    o.go_on.set()


async def block(o: Any, _s: Any, steps: list[Any], end: str) -> Any:
    async def closure() -> list[Any]:
        results: list[Any] = await o.play(steps)
        if end == "raise":
            raise AsToldError
        return results

    return await o.ctx.block_concurrency_while(closure)


async def block_and_catch(o: Any, _s: Any) -> Any:
    async def closure() -> str:
        try:
            raise_(o)
        except AsToldError:
            return "caught"
        return "not raised"

    return await o.ctx.block_concurrency_while(closure)


def raise_(_o: Any) -> None:
    raise AsToldError


def abort(o: Any) -> None:
    o.ctx.abort("as told")


async def start_count(o: Any, _s: Any) -> int:
    return int(o.start_count)


# -- calls -----------------------------------------------------------------------------------------


async def call(o: Any, _s: Any, ns: str, name: str, steps: list[Any]) -> Any:
    return await o.ctx.namespace(ns).get_by_name(name).run(steps)


async def method(o: Any, _s: Any, ns: str, name: str, wanted: str) -> list[Any]:
    stub: Stub = o.ctx.namespace(ns).get_by_name(name)
    try:
        return ["result", await getattr(stub, wanted)()]
    except Exception as error:  # noqa: BLE001 - what it raised is the result
        known = "as told" if "as told" in str(error) else ""
        return ["error", known, getattr(error, "remote", False)]


async def call_in_order(o: Any, _s: Any, ns: str, name: str, count: int) -> Any:
    stub = o.ctx.namespace(ns).get_by_name(name)
    for call_ in [stub.run([["mark", number]]) for number in range(count)]:
        await call_
    return (await stub.run([["words"]]))[0]


async def call_with_copy(o: Any, _s: Any, ns: str, name: str) -> list[Any]:
    value = {"list": [1]}
    changed = await o.ctx.namespace(ns).get_by_name(name).change(value)
    return [value, changed]


# -- sockets ---------------------------------------------------------------------------------------


async def sockets(o: Any, _s: Any, tag: str | None) -> int:
    return len(o.ctx.connections(tag))


async def tags(o: Any, _s: Any) -> list[list[str]]:
    return [sorted(connection.tags) for connection in o.ctx.connections()]


async def attach(o: Any, _s: Any, value: Any) -> None:
    for connection in o.ctx.connections():
        connection.attachment = value


async def attachments(o: Any, _s: Any) -> list[Any]:
    return [connection.attachment for connection in o.ctx.connections()]


async def attach_then_change(o: Any, _s: Any) -> Any:
    (connection,) = o.ctx.connections()
    value = {"list": [1]}
    connection.attachment = value
    value["list"].append(2)
    return connection.attachment


async def attach_sized(o: Any, _s: Any, size: int) -> str:
    (connection,) = o.ctx.connections()
    return tested(lambda: setattr(connection, "attachment", "x" * size))


async def send(o: Any, _s: Any, tag: str | None, text: str) -> None:
    for connection in o.ctx.connections(tag):
        connection.send(text)


async def close(o: Any, _s: Any, code: int, reason: str) -> None:
    for connection in o.ctx.connections():
        connection.close(code, reason)


async def try_close(o: Any, _s: Any, code: int, reason: str) -> str:
    (connection,) = o.ctx.connections()
    return tested(lambda: connection.close(code, reason))


async def send_after_close(o: Any, _s: Any) -> str:
    (connection,) = o.ctx.connections()
    connection.close(1000, "done")
    try:
        connection.send("late")
    except Exception:  # noqa: BLE001 - that it raised is the result
        return "refused"
    return "accepted"


async def auto_response(o: Any, _s: Any, request: str, response: str) -> None:
    o.ctx.set_auto_response(request, response)


async def auto_response_sized(o: Any, _s: Any, size: int) -> str:
    return tested(lambda: o.ctx.set_auto_response("p", "x" * size))


async def no_auto_response(o: Any, _s: Any) -> None:
    o.ctx.set_auto_response()


async def auto_response_is(o: Any, _s: Any) -> Any:
    pair = o.ctx.get_auto_response()
    return list(pair) if pair else None


async def auto_responded(o: Any, _s: Any) -> list[bool]:
    return [connection.auto_responded_at is not None for connection in o.ctx.connections()]


RAISING: Final = {"raise": raise_, "abort": abort}
VERBS: Final[dict[str, Any]] = RAISING | {
    name.rstrip("_"): verb
    for name, verb in list(globals().items())
    if inspect.iscoroutinefunction(verb)
}
