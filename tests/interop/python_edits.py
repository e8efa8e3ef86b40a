"""A room whose content is changed from Python on request, a little or a lot at once."""

from stateroom import Request, Response
from stateroom.tinybase import TinyBaseRoom

CELL_CHARS = 100_000


class PythonEdits(TinyBaseRoom):
    """`/rows/N` makes the table `t` have N rows of 100,000 characters; answers the hashes."""

    async def on_request(self, request: Request) -> Response:
        count = int(request.path.rpartition("/")[2])
        rows = {str(number): {"c": "x" * CELL_CHARS} for number in range(count)}
        self.set_content({"t": rows} if rows else {}, {"rows": count})
        return Response.json(list(self.get_mergeable_content_hashes()))
