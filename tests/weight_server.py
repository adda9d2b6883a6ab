"""A web server on this machine that does what servers do, good and bad."""

import re
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@contextmanager
def running():
    """A server: `url`; `pages` {path: function of the handler}; `asked` [(path, range)] of all requests."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads, server.pages, server.asked = True, {}, []
        server.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


class Handler(BaseHTTPRequestHandler):
    """What `server.pages` says of a path: a function of the handler; the requests' ranges are written down."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.asked.append((self.path, self.headers.get("Range")))
        self.server.pages.get(self.path, lambda h: h.send_error(404))(self)

    def say(self, data, status=200, declared=None, **headers):
        self.send_response(status)
        self.send_header("Content-Length", str(len(data) if declared is None else declared))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)
        if declared is not None:
            self.close_connection = True

    def log_message(self, *_):
        pass


def page(data, **more):
    return lambda handler: handler.say(data, **more)


def ranges(data):
    """A server that honours ranges."""

    def answer(handler):
        asked = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", ""))
        if not asked:
            handler.say(data)
        elif int(asked[1]) >= len(data):
            handler.say(b"", status=416)
        else:
            start = int(asked[1])
            where = f"bytes {start}-{len(data) - 1}/{len(data)}"
            handler.say(data[start:], status=206, Content_Range=where)

    return answer


def redirect(to):
    return page(b"", status=302, Location=to)
