"""The fixed limits of the platform, with their units in their names.

What an operator may change is a setting (app.settings); what is here is part of the contract
with authors and peers (reference: durable-objects, section 13).
"""

NAME_BYTES = 1024
LONGEST_NAME_BYTES = 2 * NAME_BYTES + 1  # a socket's path, a slash, a channel
KEY_BYTES = 2048
VALUE_BYTES = 2_000_000
KEYS_PER_CALL = 128
TAGS_PER_CONNECTION = 10
TAG_CHARACTERS = 256
ATTACHMENT_BYTES = 16_384
CLOSE_REASON_BYTES = 123
ALARM_NAME_BYTES = 256
ALARM_PAYLOAD_BYTES = 4_096  # in stored form; what is larger belongs under a key
ALARMS = 1_000  # of one object, that are set
ALARMS_CLAIMED_OF_ONE = 8  # of one object, in one claim of due alarms
DEAD_ALARMS = 100  # of one object, that are given up
ALARM_EVERY_MS = 1_000  # the shortest interval
ALARM_EVERY_MOST_MS = 100 * 366 * 86_400_000  # the longest: a hundred years
ALARM_ERROR_CHARACTERS = 500  # kept of the text of an error
AUTO_RESPONSE_BYTES = 2048
CACHE_BYTES = 1 << 20
PRELOAD_ROWS = 64
PRELOAD_BYTES = 1 << 16
PAGE_ROWS = 2_000
PAGE_BYTES = 4 << 20
MESSAGE_TIMEOUT_MS = 604_800_000  # seven days
SECTION_SECONDS = 30.0  # of a critical section or a transaction
BACKGROUND_TASKS = 1_000  # of one instance, given to wait_until and not over
CALL_SECONDS = 10.0
CALL_BYTES = (32 << 20) - (64 << 10)  # a frame between workers, less what describes the call
FAULT_TEXT_CHARACTERS = 65_536  # of what an exception says; it may hold a whole message
FAULT_BYTES = 65_536  # of the attributes of an exception, in stored form
CALLS_WAITING = 10_000  # of one stub, without an answer yet
CALLS_WAITING_BYTES = 64 << 20
MOST_GRACE_SECONDS = 10 * 366 * 86_400  # of a deleted object before it is purged
