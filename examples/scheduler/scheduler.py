"""A scheduler: named alarms that ask other objects to do something, once or again and again."""

from typing import Any

from stateroom import AlarmInfo, DurableObject, Request, Response


class Scheduler(DurableObject):
    """`PUT /jobs/nightly` with `{"ask": ["report", "sales"], "every_seconds": 86400}`."""

    async def on_request(self, request: Request) -> Response:
        kind, _, name = request.path.strip("/").partition("/")
        match request.method, kind:
            case "PUT", "jobs" if name:
                return self._plan(name, request.json())
            case "DELETE", "jobs" if name:
                self.ctx.storage.delete_alarm(name=name)
                return Response(status=204)
            case "GET", "jobs":
                jobs = await self.ctx.storage.list_alarms()
                return Response.json({job.name: job.scheduled_for for job in jobs})
            case "GET", "failed":
                dead = await self.ctx.storage.dead_alarms()
                return Response.json({job.name: job.failure.error_text for job in dead})
            case "POST", "failed" if name:
                again = await self.ctx.storage.retry_dead_alarm(name)
                return Response(status=202 if again else 404)
        return Response(status=404)

    def _plan(self, name: str, job: Any) -> Response:
        namespace, target = job["ask"]
        every = job.get("every_seconds")
        at = job.get("at_ms", self.ctx.now() + int(1000 * (every or 0)))
        payload = {"namespace": namespace, "target": target, "body": job.get("body", "")}
        self.ctx.storage.set_alarm(at, name=name, payload=payload, every=every)
        return Response(status=202)

    async def on_alarm(self, info: AlarmInfo) -> None:
        job = info.payload
        target = self.ctx.namespace(job["namespace"]).get_by_name(job["target"])
        answer = await target.fetch(
            Request(
                method="POST",
                path="/scheduled",
                body=job["body"].encode(),
                # At least once: with this key the other side can tell a repetition.
                headers={"idempotency-key": f"{info.name}@{info.scheduled_for}"},
            )
        )
        if answer.status >= 500:
            raise RuntimeError(f"{info.name}: the object answered {answer.status}")
