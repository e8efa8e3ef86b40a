"""What goes over links, and what went over those that are gone."""

from collections.abc import Iterable
from typing import NamedTuple, Protocol, Self


class LinkTraffic:
    """What went over a link, or over many.

    Attributes:
        received_bytes: What was read.
        sent_bytes: What was given to the connection.
        waits: How often it had to wait because the other side read too slowly.
    """

    __slots__ = ("received_bytes", "sent_bytes", "waits")

    def __init__(self) -> None:
        self.received_bytes = 0
        self.sent_bytes = 0
        self.waits = 0

    def add(self, more: "LinkTraffic") -> None:
        """Count another link's too."""
        self.received_bytes += more.received_bytes
        self.sent_bytes += more.sent_bytes
        self.waits += more.waits


class LoadedLink(Protocol):
    """What is looked at of a link; see `LinkProtocol`."""

    traffic: LinkTraffic
    queued_bytes: int

    @property
    def up(self) -> bool:
        """Whether streams can be opened."""
        ...

    @property
    def streams(self) -> int:
        """How many there are."""
        ...


class LinkLoad(NamedTuple):
    """All links of a worker.

    Attributes:
        links: How many are up.
        streams: What goes over them now: sockets, calls, requests.
        queued_bytes: What waits to be sent.
        traffic: What went over them, and over those before them.
    """

    links: int
    streams: int
    queued_bytes: int
    traffic: LinkTraffic

    @classmethod
    def of(cls, links: Iterable[LoadedLink], ended: LinkTraffic) -> Self:
        """Add up links, and what went over those that are gone."""
        up = streams = queued_bytes = 0
        traffic = LinkTraffic()
        traffic.add(ended)
        for link in links:
            up += link.up
            streams += link.streams
            queued_bytes += link.queued_bytes
            traffic.add(link.traffic)
        return cls(up, streams, queued_bytes, traffic)
