"""Bounds that were reached; the whole tree of errors is drawn in `errors`."""

from .error_root import StateroomError


class Overloaded(StateroomError):
    """More was asked of the object than its bounds allow."""

    code = "overloaded"
    default_remedy = "Send less at once, or raise the named limit."
    overloaded = True


class SectionTimedOut(Overloaded):
    """A critical section or transaction took too long, and the object was thrown away."""

    code = "section_timed_out"
    default_remedy = "Do less inside of it: nothing else of the object runs meanwhile."
    retryable = True
    reset = True


class QueueFull(Overloaded):
    """Too many events wait for this object."""

    code = "queue_full"
    default_remedy = "Send less at once, or raise STATEROOM_MAILBOX_EVENTS."


class QueueTooLarge(Overloaded):
    """Too many bytes wait for this object."""

    code = "queue_too_large"
    default_remedy = "Send less at once, or raise STATEROOM_MAILBOX_BYTES."


class QueuedTooLong(Overloaded):
    """The event waited too long for its turn; it was not run."""

    code = "queued_too_long"
    default_remedy = "Find what keeps the object busy, or raise STATEROOM_QUEUE_SECONDS."


class TooManyRequests(Overloaded):
    """The object got more requests than it may within ten seconds."""

    code = "too_many_requests"
    default_remedy = "Spread the requests, or raise STATEROOM_REQUESTS_PER_10_SECONDS."


class QuotaExceeded(Overloaded):
    """The object has cost more than its quota."""

    code = "quota_exceeded"
    default_remedy = (
        "Wait as long as it says, find what makes the object costly (stateroom rooms top), or "
        "raise the named quota."
    )
    retry_after_seconds = 10

    @classmethod
    def until(cls, seconds: int) -> "QuotaExceeded":
        """It is within its quotas again after so many seconds."""
        error = cls(f"it is served again in {seconds} seconds")
        error.retry_after_seconds = seconds
        return error


class RateLimited(Overloaded):
    """The client asks too often."""

    code = "rate_limited"
    default_remedy = "Wait as long as Retry-After says, or raise the named limit."
    retry_after_seconds = 1

    @classmethod
    def until(cls, limit: str, *, seconds: int) -> "RateLimited":
        """It may ask again in so many seconds."""
        error = cls(f"{limit} is reached; try again in {seconds} seconds")
        error.retry_after_seconds = seconds
        return error


class TooManyStreams(Overloaded):
    """Too many exports and imports are under way at this worker."""

    code = "too_many_streams"
    default_remedy = "Wait until some are over, and read what is sent without a pause."
    retryable = True


class UnitTooLarge(Overloaded):
    """An event wrote more than it may between two commit points."""

    code = "unit_too_large"
    default_remedy = (
        "Await ctx.storage.sync() between the parts of the work, or spread it over several events."
    )


class TooManyWrites(Overloaded):
    """Too much that the object wrote waits for the database."""

    code = "too_many_writes"
    default_remedy = "Await what put returns, or ctx.storage.sync(), in code that writes much."
