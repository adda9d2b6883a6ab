"""Getting one file from the network, and no other: resumed where it broke off, never more than was announced."""

import errno
import http.client
import os
import urllib.error
import urllib.request
from contextlib import contextmanager
from urllib.parse import urljoin, urlsplit

from tqdm import tqdm

from .. import __version__
from ..errors import OutputError
from ..kernels.errors import MinicnnError

_TIMEOUT = 30  # seconds without a byte
_CHUNK = 1 << 16
_MOST_BYTES = 2 << 30  # of a file whose size nobody says


class DownloadError(MinicnnError):
    """A download that did not succeed: the URL and the reason. Another mirror may do."""

    def __init__(self, url, reason):
        self.url, self.reason = url, reason
        super().__init__(f"{url}: {reason}")


def download(url, part, hosts, size=None, progress=True):
    """Bring the bytes of `url` into the file `part`, going on after what is there already.

    hosts     "name" or "name:port": the only ones that are asked, redirects included
    size      in bytes, about: much more than that is refused
    progress  whether a bar shows it, which it does on a terminal alone
    A broken connection leaves what came in `part`, for the next try; a full disk leaves nothing. Whether the bytes are
    the right ones is the caller's to check.
    Raises DownloadError, OutputError where `part` cannot be written.
    """
    offset = part.stat().st_size if part.exists() else 0
    try:
        _check_target(url, hosts)
        with _open(url, offset, hosts) as response:
            start = _start(url, response, offset)
            total = _announced(url, response, start, size)
            _copy(url, response, part, start, total, _most(size), progress)
    except MinicnnError:  # an OutputError is an OSError too
        raise
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416 and offset:  # what is there is no beginning of the file, or more than all of it
            part.unlink()
            download(url, part, hosts, size, progress)
            return
        raise DownloadError(url, f"the server says {error.code} {_words(error)}") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise DownloadError(url, _words(error)) from error


def _open(url, offset, hosts):
    headers = {"User-Agent": f"minicnn/{__version__}", "Accept-Encoding": "identity"}
    if offset:
        headers["Range"] = f"bytes={offset}-"
    opener = urllib.request.build_opener(_Redirects(hosts))
    return opener.open(urllib.request.Request(url, headers=headers), timeout=_TIMEOUT)


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows a redirect only to where a request may go, and never from https back to http."""

    def __init__(self, hosts):
        self.hosts = hosts

    def redirect_request(self, req, fp, code, msg, headers, newurl):
        newurl = urljoin(req.full_url, newurl)
        _check_target(newurl, self.hosts, redirected_from=req.full_url)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _check_target(url, hosts, redirected_from=None):
    """Raises DownloadError unless `url` is http or https at one of the hosts."""
    parts, start = urlsplit(url), urlsplit(redirected_from or url)
    asked = redirected_from or url
    where = f"redirects to {url[:200]}, which" if redirected_from else "its address"
    if parts.scheme not in ("http", "https") or (start.scheme == "https" and parts.scheme == "http"):
        raise DownloadError(asked, f"{where} is not fetched: {parts.scheme or 'no scheme'} after {start.scheme}")
    if parts.netloc.lower() not in hosts:
        raise DownloadError(asked, f"{where} is not fetched: {parts.netloc} is none of {', '.join(sorted(hosts))}")


def _start(url, response, offset):
    """Where the response's bytes belong: at `offset` if the server keeps to the range, else at the beginning."""
    if response.headers.get_content_type() == "text/html":
        raise DownloadError(url, "the server sends a web page instead")
    if response.status != 206:
        return 0
    first = response.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
    if first != str(offset):
        raise DownloadError(url, f"the server was asked for the bytes from {offset} on and sends those from {first!r}")
    return offset


def _announced(url, response, start, size):
    """The whole file's size as the server has it, or None."""
    length = response.headers.get("Content-Length", "")
    if not length.isascii() or not length.isdigit():
        return None
    total = start + int(length)
    if total > _most(size):
        raise DownloadError(url, f"{total} bytes, where {size or f'at most {_MOST_BYTES}'} are expected")
    return total


def _most(size):
    return _MOST_BYTES if size is None else size + size // 20 + (1 << 20)


def _copy(url, response, part, start, total, most, progress):
    """The response's bytes into `part` from `start` on, which are all that it then holds."""
    title = {"desc": url.rpartition("/")[2], "unit": "B", "unit_scale": True, "leave": False}
    with _opened(part, start) as file, tqdm(total=total, initial=start, disable=not progress or None, **title) as bar:
        done = start
        while chunk := response.read(_CHUNK):
            done += len(chunk)
            if done > most:
                file.truncate(0)
                raise DownloadError(url, f"more than {most} bytes, and no end")
            with _writing(part):
                _write_all(file, chunk)
            bar.update(len(chunk))
    if total is not None and done < total:
        raise DownloadError(url, f"the connection ended after {done} of {total} bytes")


def _opened(part, start):
    """The file `part`, cut off at `start`, where writing goes on."""
    with _writing(part):
        part.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(part, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
        os.ftruncate(handle, start)
        os.lseek(handle, start, os.SEEK_SET)
        return open(handle, "r+b", buffering=0)


def _write_all(file, data):
    while data:
        data = data[file.write(data) :]


@contextmanager
def _writing(part):
    """An error inside is the disk's, not the network's. On a full one, what came is removed: it fills it further."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            part.unlink(missing_ok=True)
        raise OutputError(f"cannot write {part}: {error.strerror or error}") from error


def _words(error):
    reason = getattr(error, "reason", error)  # a URLError's own text is a wrapper around it
    if isinstance(reason, TimeoutError):
        return f"no answer within {_TIMEOUT} seconds"
    return " ".join(str(getattr(reason, "strerror", None) or reason or type(reason).__name__).split())
