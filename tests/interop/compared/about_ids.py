"""Ids, names, stubs and calls (A, B, O)."""

import asyncio
from typing import Any

from tests.interop.compared.cases import case
from tests.interop.compared.sides import Side


async def id_of(side: Side, object_name: str, name: str = "x", ns: str = "scripted") -> str:
    return str((await side.run(object_name, ["id_of", ns, name]))[0])


@case(1)
async def the_same_name_gives_the_same_id(side: Side) -> Any:
    return await id_of(side, "s1", "x") == await id_of(side, "s1-other", "x")


@case(2)
async def two_namespaces_give_two_ids(side: Side) -> Any:
    return await id_of(side, "s2", "x") == await id_of(side, "s2", "x", "other")


@case(3)
async def unique_ids_differ(side: Side) -> Any:
    return await side.run("s3", ["unique_ids"])


@case(4)
async def an_id_is_64_hex_digits(side: Side) -> Any:
    text = await id_of(side, "s4")
    return [len(text), set(text) <= set("0123456789abcdef")]


@case(5)
async def an_id_prints_again(side: Side) -> Any:
    text = await id_of(side, "s5")
    return (await side.run("s5", ["id_again", "scripted", text]))[0] == text


@case(6)
async def other_texts_are_no_ids(side: Side) -> Any:
    text = await id_of(side, "s6")
    broken = [text[:-1], text + "0", "g" + text[1:], ""]
    return await side.run("s6", *(["id_again", "scripted", each] for each in broken))


@case(7)
async def ids_of_another_namespace_are_refused(side: Side) -> Any:
    text = await id_of(side, "s7", "x", "other")
    return await side.run("s7", ["id_again", "scripted", text])


@case(8)
async def a_flipped_digit_breaks_an_id(side: Side) -> Any:
    text = await id_of(side, "s8")
    flipped = [
        text[:place] + format(int(text[place], 16) ^ 1, "x") + text[place + 1 :]
        for place in range(64)
    ]
    return await side.run("s8", *(["id_again", "scripted", each] for each in flipped))


@case(9)
async def ids_are_compared_without_their_names(side: Side) -> Any:
    return await side.run("s9", ["ids_equal", "scripted", "x"])


@case(10)
async def an_id_knows_the_name_it_was_made_from(side: Side) -> Any:
    return await side.run("s10", ["id_names", "scripted", "x"])


@case(11)
async def an_object_knows_its_name(side: Side) -> Any:
    async with side.socket("s11") as talk:
        by_message = await talk.steps(["own_name"])
    by_call = await side.run("s11-caller", ["call", "scripted", "s11", [["own_name"]]])
    return [await side.run("s11", ["own_name"]), by_message, by_call]


@case(16)
async def by_name_is_by_the_id_of_the_name(side: Side) -> Any:
    return (await side.run("s16", ["stub_names", "scripted", "x"]))[0][0]


@case(17)
async def a_stub_knows_its_name(side: Side) -> Any:
    return (await side.run("s17", ["stub_names", "scripted", "x"]))[0][1:]


@case(22)
async def first_calls_at_once_start_one_instance(side: Side) -> Any:
    both = await asyncio.gather(*(side.run("s22", ["start_count"]) for _ in range(10)))
    return list(both)


@case(30)
async def a_start_that_fails_is_tried_again(side: Side) -> Any:
    return [await side.run("broken-at-first-30", ["start_count"]) for _ in range(3)]


@case(38)
async def calls_on_one_stub_keep_their_order(side: Side) -> Any:
    return await side.run("s38", ["call_in_order", "other", "s38", 20])


@case(225)
async def only_public_methods_are_called(side: Side) -> Any:
    methods = ["boom", "get", "env", "ctx"]
    answers = await side.run("s225", *(["method", "other", "s225", name] for name in methods))
    return [answer[0] for answer in answers]


@case(227)
async def methods_may_be_called_get(side: Side) -> Any:
    return await side.run("s227", ["method", "other", "s227", "get"])


@case(228)
async def arguments_and_results_are_copies(side: Side) -> Any:
    return await side.run("s228", ["call_with_copy", "other", "s228"])


@case(230)
async def an_exception_reaches_the_caller(side: Side) -> Any:
    return await side.run("s230", ["method", "other", "s230", "boom"])
