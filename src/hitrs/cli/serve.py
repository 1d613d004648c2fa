"""``hitrs serve``: models as a live page, and as an interface for programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from hitrs.cli.console import print_line
from hitrs.cli.options import Name, Names
from hitrs.cli.signals import ended_by_signals
from hitrs.errors import ConfigError, counted

Megabytes = Annotated[float, arg(metavar="MB")]


def run(
    models: Annotated[
        Positional[tuple[str, ...]], arg(metavar="MODEL [MODEL ...]", help_behavior_hint="(required)")
    ],
    *,
    record: Annotated[Path | None, arg(metavar="FOLDER")] = None,
    host: Annotated[str, arg(metavar="ADDRESS")] = "127.0.0.1",
    port: Annotated[int, arg(metavar="PORT")] = 8000,
    name: Names = (),
    certificate: Annotated[Path | None, arg(metavar="FILE")] = None,
    key: Annotated[Path | None, arg(metavar="FILE")] = None,
    pose: Name = None,
    clients: int = 32,
    cameras: int = 2,
    most_megabytes: Megabytes = 100.0,
) -> None:
    """A page that shows what models say while it happens, and an interface for programs; until Ctrl-C.

    It listens on this machine alone. With another --host everything needs the token that stands in the
    address it prints, or that of the environment variable HITRS_TOKEN (docs/serve.md).

    Args:
        models: model directories, the runs that made them, or `hub://OWNER/NAME`; one for each task.
        record: keep the moments that people record on the page in this folder, for `hitrs import`.
        host: listen at this address; 0.0.0.0 for all that this machine has.
        port: listen at this port; 0 takes a free one.
        name: further names under which this machine is reached.
        certificate: serve HTTPS with this certificate (PEM), without which browsers of other machines give no
            camera.
        key: of the certificate.
        pose: estimator that looks at pictures (docs/video.md); MediaPipe's if left out.
        clients: so many may send frames at once.
        cameras: so many of them may send pictures.
        most_megabytes: the largest recording that is taken.
    """
    if not models:
        raise ConfigError("name at least one model to serve")
    try:
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise ConfigError('`hitrs serve` needs Starlette and uvicorn: pip install "hitrs[serve]"') from error
    import torch

    from hitrs.data.video.estimator import pose_estimator
    from hitrs.serve import Address, Limits, Listener, Service
    from hitrs.serve.moment import Moments

    address = Address(host, port, name, certificate, key)
    limits = Limits(clients, cameras, int(most_megabytes * 1e6))
    torch.set_num_threads(1)  # a frame is small; two threads that compute have a core each
    with ended_by_signals(), pose_estimator(pose):
        moments = None if record is None else Moments(record)
        service = Service.of(models, limits=limits, moments=moments)
        with Listener(service, address) as listener:
            for each in service.models.values():
                facts = f"{each.task.verb}, {counted(each.card.layout.n_joints, 'joint')}"
                print_line(f"model       {facts}{'' if each.served.live else ', whole recordings only'}")
            if why := service.no_pictures():
                print_line(f"pictures    off: {why}")
            if record is not None:
                print_line(f"moments     {record}")
            if address.private and certificate is None:
                print_line(
                    "note        what goes over the network is not encrypted, and browsers of other machines "
                    "give no camera; see --certificate and --key"
                )
            print_line(f"page        {listener.url}")
            print_line("open it in a browser; Ctrl-C ends it")
            listener.run()
