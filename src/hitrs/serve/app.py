"""The addresses: the page, models and their description, recordings that are answered, and who is live."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from hitrs.data.recording import Recording
from hitrs.errors import ConfigError, DataError, HitrsError, LayoutError
from hitrs.serve.description import description
from hitrs.serve.guard import Guard, refused
from hitrs.serve.live import follow
from hitrs.serve.page import live_page
from hitrs.serve.service import ServedModel, Service, sentence
from hitrs.serve.upload import UploadError, model_options, read_options, read_upload, uploaded
from hitrs.serve.worker import BusyError
from hitrs.tasks.registry import task_of_section
from hitrs.viz.show.access import Access
from hitrs.viz.show.drawing import draw

_UPLOADS = 8
"""Recordings that come at once."""


def make_app(service: Service, access: Access, *, private: bool) -> Guard:
    """The ASGI application.

    >>> app = make_app(Service.of(["runs/tuned"]), Access(new_token(), hosts(LOOPBACK, 8000)), private=False)

    Args:
        private: nothing is answered without the token.
    """

    async def page(request: Request) -> Response:
        if not request.state.trusted:
            return refused(401, "this is the page of hitrs serve: use the whole address that it printed")
        return HTMLResponse(await service.recordings.run(lambda: live_page(service)))

    async def models(request: Request) -> Response:
        return JSONResponse({"models": [each.facts() for each in service.models.values()]})

    async def openapi(request: Request) -> Response:
        return JSONResponse(description(service))

    async def drawing(request: Request) -> Response:
        query = dict(request.query_params)
        model = service.chosen(query.pop("task", ""))
        return await _answered(request, service, model, query, {}, lambda given, _: _drawing(model, given))

    async def live(socket: WebSocket) -> None:
        try:
            await follow(socket, service, trusted=socket.state.trusted)
        except Exception as error:
            _defect(error)
            raise

    def answering(model: ServedModel) -> Callable[[Request], Any]:
        async def answer(request: Request) -> Response:
            served, query = model.served, dict(request.query_params)
            return await _answered(
                request,
                service,
                model,
                query,
                dict(served.options),
                lambda given, o: served.answer(given, **o),
            )

        return answer

    routes = [
        Route("/", page),
        Route("/models", models),
        Route("/openapi.json", openapi),
        Route("/drawing", drawing, methods=["POST"]),
        *(Route(f"/{each.task.verb}", answering(each), methods=["POST"]) for each in service.models.values()),
        WebSocketRoute("/live", live),
    ]
    errors: dict[Any, Any] = {
        ConfigError: _refuses(400),
        HitrsError: _refuses(422),
        UploadError: _refusing(lambda request, error: refused(error.status, str(error))),
        BusyError: _refusing(lambda *_: refused(503, "many recordings wait already; try again later")),
        HTTPException: _refusing(lambda request, error: _not_there(request, error, service)),
        ClientDisconnect: _refusing(lambda *_: Response(status_code=400)),  # nobody reads it
        Exception: _refusing(lambda request, error: _defect(error)),
    }
    return Guard(Starlette(routes=routes, exception_handlers=errors), access, private=private)


async def _answered(
    request: Request,
    service: Service,
    model: ServedModel,
    query: dict[str, str],
    further: dict[str, type],
    answer: Callable[[Recording, dict[str, Any]], dict[str, Any]],
) -> Response:
    """What is said of the recording that a request brings."""
    options = read_options(query, further)
    if service.uploads >= _UPLOADS:
        raise BusyError
    service.uploads += 1
    try:
        async with uploaded(request, options["file"], service.limits.upload) as path:

            def work() -> bytes:
                try:
                    answered = answer(read_upload(path, model, options), model_options(options))
                except HitrsError as error:
                    raise type(error)(sentence(error, f"{path.parent}/")) from error
                return bytes(JSONResponse(answered).body)  # hours of segments are long, too

            return Response(await service.recordings.run(work), media_type="application/json")
    finally:
        service.uploads -= 1


def _drawing(model: ServedModel, recording: Recording) -> dict[str, Any]:
    """A recording as the page draws it, with what the model says of it or why it says nothing."""
    reply, why = None, ""
    try:
        reply = model.task.replies(model.model)(recording)
    except (DataError, LayoutError) as error:
        why = str(error)
    return {**draw(recording, reply), "id": 0, "refused": why}


def _refusing(refusal: Callable[[Request, Any], Response]) -> Callable[[Request, Any], Awaitable[Response]]:
    """In the event loop, not in a thread."""

    async def refuse(request: Request, error: Any) -> Response:
        return refusal(request, error)

    return refuse


def _refuses(status: int) -> Callable[[Request, Any], Awaitable[Response]]:
    return _refusing(lambda request, error: refused(status, str(error)))


def _defect(error: Exception) -> Response:
    logging.getLogger("hitrs.serve").error("a defect of hitrs", exc_info=error)
    return refused(500, "this is a defect of hitrs; its terminal says more")


def _not_there(request: Request, error: HTTPException, service: Service) -> Response:
    if error.status_code == 405:
        return refused(405, f"{request.method} is not for this address")
    if missing := task_of_section(request.url.path.removeprefix("/")):
        return refused(404, f"no model for {missing} is served; start `hitrs serve` with one too")
    verbs = ", ".join(f"/{each.task.verb}" for each in service.models.values())
    why = f"there is no such address; there are /, /models, /openapi.json, /live, /drawing, {verbs}"
    return refused(error.status_code, why)
