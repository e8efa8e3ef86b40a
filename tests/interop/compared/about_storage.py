"""Storage (E to K)."""

from typing import Any

from tests.interop.compared.cases import case
from tests.interop.compared.sides import Side

FRUIT = {"apple": 1, "apricot": 2, "banana": 3, "cherry": 4}


async def listed(side: Side, name: str, *options: dict[str, Any]) -> Any:
    return await side.run(name, ["put_many", FRUIT], *(["list", each] for each in options))


@case(69)
async def sync_has_nothing_to_wait_for(side: Side) -> Any:
    return await side.run("s69", ["sync"], ["put", "a", 1], ["sync"], ["sync"])


@case(75)
async def a_missing_key_has_no_value(side: Side) -> Any:
    return await side.run("s75", ["get", "a"])


@case(76)
async def many_keys_come_in_byte_order(side: Side) -> Any:
    return await side.run(
        "s76",
        ["put_many", {"b": 1, "é": 2, "a": 3, "😀": 4, "漢": 5}],
        ["get_many", ["😀", "x", "b", "漢", "é", "a"]],
    )


@case(77)
async def batches_have_128_keys_at_most(side: Side) -> Any:
    verbs = ("put_count", "get_count", "delete_count")
    return await side.run("s77", *([verb, count] for verb in verbs for count in (128, 129)))


@case(78)
async def a_read_sees_the_write_before_it(side: Side) -> Any:
    return await side.run("s78", ["put", "a", 1], ["get", "a"], ["put", "a", 2], ["get", "a"])


@case(79)
async def a_stored_value_is_a_copy(side: Side) -> Any:
    return await side.run("s79", ["put_then_change", "a"], ["get", "a"])


@case(80)
async def values_keep_their_kinds(side: Side) -> Any:
    plain = {"text": "t", "whole": 7, "half": 0.5, "yes": True, "no": None, "list": [1, {"a": []}]}
    return await side.run("s80", ["put", "plain", plain], ["get", "plain"], ["kinds"])


@case(83)
async def a_delete_says_what_there_was(side: Side) -> Any:
    return await side.run(
        "s83",
        ["put_many", FRUIT],
        ["sync"],
        ["delete", "apple"],
        ["delete", "apple"],
        ["delete_many", ["banana", "cherry", "apple", "none"]],
    )


@case(84)
async def a_write_that_is_not_flushed_is_deleted(side: Side) -> Any:
    return await side.run("s84", ["put", "a", 1], ["delete", "a"], ["get", "a"], ["delete", "a"])


@case(85)
async def a_batch_with_one_value_too_large_stores_nothing(side: Side) -> Any:
    return await side.run("s85", ["put_one_too_large", 3_000_000], ["get", "small"])


@case(86)
async def values_have_a_limit(side: Side) -> Any:
    return await side.run("s86", ["put_sized", "a", 1_900_000], ["put_sized", "b", 2_100_000])


@case(87)
async def keys_may_hold_any_characters(side: Side) -> Any:
    keys = ["nul\0nul", "😀", "mixed ü漢"]
    return await side.run(
        "s87", *(["put", key, key] for key in keys), *(["get", key] for key in keys), ["list", {}]
    )


@case(88)
async def the_empty_key(side: Side) -> Any:
    return await side.run("s88", ["put", "", 1], ["get", ""], ["list", {}])


@case(90)
async def a_read_is_as_of_its_call(side: Side) -> Any:
    return await side.run("s90", ["put", "a", 1], ["put_and_get", "a", 2])


@case(92)
async def a_list_is_in_byte_order(side: Side) -> Any:
    keys = ["b", "é", "a", "😀", "漢", "B", "ab"]
    return await side.run("s92", ["put_many", dict.fromkeys(keys, 0)], ["list", {}])


@case(93)
async def a_list_begins_with_start_and_stops_before_end(side: Side) -> Any:
    return await listed(side, "s93", {"start": "apricot"}, {"start": "apricot", "end": "cherry"})


@case(94)
async def a_list_may_begin_after_a_key(side: Side) -> Any:
    return await listed(side, "s94", {"start_after": "apricot"}, {"start_after": "b"})


@case(95)
async def start_and_start_after_exclude_each_other(side: Side) -> Any:
    return await listed(side, "s95", {"start": "a", "start_after": "a"})


@case(96)
async def a_prefix_takes_in_the_key_that_equals_it(side: Side) -> Any:
    return await listed(side, "s96", {"prefix": "ap"}, {"prefix": "apple"}, {"prefix": "z"})


@case(97)
async def a_prefix_and_bounds_are_taken_together(side: Side) -> Any:
    return await listed(
        side, "s97", {"prefix": "ap", "start": "apr"}, {"prefix": "ap", "start": "b"}
    )


@case(99)
async def reverse_changes_the_order_alone(side: Side) -> Any:
    return await listed(side, "s99", {"reverse": True, "start": "apricot", "end": "cherry"})


@case(100)
async def reverse_and_limit_give_the_last(side: Side) -> Any:
    return await listed(side, "s100", {"reverse": True, "limit": 2}, {"limit": 2})


@case(101)
async def a_limit_is_positive(side: Side) -> Any:
    return await listed(side, "s101", {"limit": 0}, {"limit": -1})


@case(102)
async def a_limit_counts_what_is_not_flushed(side: Side) -> Any:
    await side.run("s102", ["put_many", FRUIT])
    return await side.run(
        "s102", ["delete", "apple"], ["put", "aardvark", 0], ["list", {"limit": 2}]
    )


@case(104)
async def changed_ends_give_right_lists(side: Side) -> Any:
    ends = {"start": "apple", "end": "cherry"}
    return await side.run(
        "s104",
        ["put_many", FRUIT],
        ["list", ends],
        ["delete", "apple"],
        ["list", ends],
        ["put", "apple", 9],
        ["delete", "cherry"],
        ["list", ends],
    )


@case(106)
async def a_list_may_be_empty(side: Side) -> Any:
    return await listed(side, "s106", {"start": "b", "end": "b"}, {"start": "c", "end": "a"})


@case(111)
async def the_last_write_wins(side: Side) -> Any:
    await side.run("s111", ["put", "a", 1], ["put", "a", 2], ["delete", "a"], ["put", "a", 3])
    return await side.run("s111", ["get", "a"])


@case(113)
async def what_is_aborted_at_once_is_not_stored(side: Side) -> Any:
    return [
        await side.run("s113", ["put", "a", 1], ["abort"]),
        await side.run("s113", ["get", "a"]),
    ]


@case(115)
async def a_transaction_gives_what_its_closure_returns(side: Side) -> Any:
    return await side.run("s115", ["transaction", [], "commit"])


@case(116)
async def a_transaction_sees_its_own_writes(side: Side) -> Any:
    inside = [["put", "a", 1], ["get", "a"], ["put", "b", 2], ["list", {}]]
    return await side.run("s116", ["transaction", inside, "commit"], ["list", {}])


@case(117)
async def a_transaction_that_raises_is_undone(side: Side) -> Any:
    inside = [["put", "a", 2], ["get", "a"]]
    return await side.run(
        "s117", ["put", "a", 1], ["transaction", inside, "raise"], ["get", "a"], ["start_count"]
    )


@case(118)
async def a_transaction_may_be_rolled_back(side: Side) -> Any:
    inside = [["put", "a", 2]]
    return await side.run(
        "s118", ["put", "a", 1], ["transaction", inside, "rollback"], ["get", "a"]
    )


@case(124)
async def a_rollback_restores_the_alarm(side: Side) -> Any:
    inside = [["delete_alarm"], ["alarm_set"]]
    return await side.run(
        "s124", ["set_alarm", 600_000], ["transaction", inside, "raise"], ["alarm_set"]
    )


@case(127)
async def writes_before_a_transaction_outlive_it(side: Side) -> Any:
    await side.run("s127", ["put", "a", 1], ["transaction", [["put", "b", 1]], "raise"])
    return await side.run("s127", ["list", {}])


@case(130)
async def everything_is_deleted(side: Side) -> Any:
    await side.run("s130", ["put_many", FRUIT])
    return await side.run("s130", ["delete_all"], ["list", {}])


@case(132)
async def the_alarm_is_deleted_with_everything(side: Side) -> Any:
    await side.run("s132", ["set_alarm", 600_000], ["put", "a", 1])
    return await side.run("s132", ["delete_all"], ["alarm_set"])


@case(135)
async def writes_after_deleting_everything_stay(side: Side) -> Any:
    await side.run("s135", ["put_many", FRUIT], ["delete_all"], ["put", "a", 1])
    return await side.run("s135", ["list", {}])


@case(136)
async def everything_is_deleted_twice(side: Side) -> Any:
    return await side.run("s136", ["put", "a", 1], ["delete_all"], ["delete_all"], ["list", {}])
