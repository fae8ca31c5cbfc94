"""Serving the explorer on 127.0.0.1, to this machine and nobody else."""

import logging
import socket
import webbrowser
from pathlib import Path
from typing import Any

from gridsim.errors import InputError, Problem
from gridsim.export_files import need
from gridsim.opened import Results

HOST = "127.0.0.1"
NAMES = (HOST, "localhost")


def serve(path: Path, *, port: int = 0, browser: bool = False, ready: Any = print) -> None:
    """Serve a results file until Ctrl-C.

    Parameters
    ----------
    path : Path
    port : int
        0: any that is free.
    browser : bool
        Open it in the browser.
    ready : callable
        Called with the address once it can be visited.

    Raises
    ------
    InputError, IntegrityError
        If there is no such file, it is not a complete run, or the port is taken.
    MissingPackageError
        If dash is not installed.
    """
    need("dash", "view", "view")
    with Results(path) as run:
        server = make_server(run, port)
        address = f"http://{HOST}:{server.server_port}/"
        ready(address)
        if browser:
            webbrowser.open(address)
        try:
            server.serve_forever()
        finally:
            server.server_close()


def make_server(run: Results, port: int) -> Any:
    """A server that listens and does not yet answer."""
    from werkzeug.serving import make_server as listen

    from gridsim.view.app import make_app

    with socket.socket() as probe:  # werkzeug leaves the process where the port is taken
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            problem = Problem("--port", f"must be one that is free: {port} is not ({error.strerror})")
            raise InputError("view", [problem]) from None
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # no line per request
    app = make_app(run)
    app.server.before_request(refuse_strangers)
    return listen(HOST, port, app.server, threaded=True)


def refuse_strangers() -> Any:
    """A page of another site may send its readers here under its own name: it gets nothing."""
    from flask import abort, request

    if request.host.rsplit(":", 1)[0] not in NAMES:
        abort(403)
