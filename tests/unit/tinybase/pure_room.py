"""A room without replica, storage or sockets: the pure parts joined as the server joins them."""

from app.sdk.multiplexing import Deliver, Fail, Open, Reply
from app.tinybase.fragments import Assembler
from app.tinybase.multiplex import Multiplexer
from app.tinybase.refusals import Refusal
from app.tinybase.routing import Recipients, route
from app.tinybase.wire import Fragment, parse_frame

TIMEOUT_SECONDS = 1.0


class PureSocket:
    """One socket X and what it and a peer in its room would see."""

    def __init__(self) -> None:
        self.closed: list[object] | None = None
        self.received: list[str] = []
        self.peer_received: list[str] = []
        self._multiplexer = Multiplexer()
        self._assemblers: dict[str, Assembler] = {}

    def plain(self, frame: str | bytes, channel: str = "") -> None:
        text = frame if isinstance(frame, str) else frame.decode("utf-8", "replace")
        assembler = self._assemblers.setdefault(channel, Assembler(timeout_seconds=TIMEOUT_SECONDS))
        try:
            parsed = parse_frame(text)
            if isinstance(parsed, Fragment):
                assembled = assembler.add(parsed, 0.0)
                if assembled is None:
                    return
                message, remainders = assembled.message, assembled.originals
            else:
                message, remainders = parsed, (parsed.remainder,)
        except Refusal as refusal:
            self.closed = [refusal.code, refusal.reason]
            return
        if route(None, message.address, message.kind).recipients is Recipients.OTHERS:
            self.peer_received += [f"{{{{X}}}}\n{remainder}" for remainder in remainders]

    def multiplexed(self, frame: str | bytes) -> None:
        for action in self._multiplexer.receive(frame, 0.0):
            if isinstance(action, Fail):
                self.closed = [action.code, action.reason]
            elif isinstance(action, Reply):
                self.received.append(action.text)
            elif isinstance(action, Open):
                self.received.append(action.accepted)
            elif isinstance(action, Deliver):
                self.plain(action.payload, action.channel)
