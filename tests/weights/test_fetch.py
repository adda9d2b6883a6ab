"""Downloads from a server on this machine, which does everything that servers do."""

import contextlib
import errno
import hashlib
import multiprocessing
import os
import re
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
import tiny_zoo
from tiny_zoo import CAFFE, TORCH, W
from weight_server import page, ranges, redirect, running

import minicnn.zoo
from minicnn.errors import FormatError, MissingFileError, OutputError, UnknownNameError, UsageError
from minicnn.weights import convert, download, fetch, native, store
from minicnn.weights import lock as lock_module
from minicnn.weights.lock import lock
from minicnn.zoo.file import File, torchvision_file

SHA256, SHA1 = hashlib.sha256(TORCH).hexdigest(), hashlib.sha1(TORCH).hexdigest()


@pytest.fixture
def server():
    with running() as server:
        yield server


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(download, "_TIMEOUT", 0.5)
    for name in ("MINICNN_OFFLINE", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def publish(server, monkeypatch, places):
    """Puts files into the catalogue of the zoo's one net."""

    def publish(*files):
        files = files or (File(f"{server.url}/tiny.pth", "torch", sha256=SHA256[:8]),)
        entry = tiny_zoo.entry(files)
        monkeypatch.setattr(minicnn.zoo, "_entries", lambda: {"tiny": entry})
        return entry

    return publish


@pytest.fixture
def folders(places):
    return places[2], places[2].parent / "downloads"


def litter(folders):
    return sorted(path.name for folder in folders if folder.exists() for path in folder.iterdir())


def failed(folders, reason):
    """A fetch that fails, says why and what to do, and leaves nothing."""
    with pytest.raises(MissingFileError, match=reason) as caught:
        fetch.fetch("tiny")
    text = str(caught.value)
    for part in ("/tiny.pth", f"sha256 {SHA256[:8]}", str(folders[1]), "minicnn models import tiny.pth --arch tiny"):
        assert part in text
    assert "\n" not in text
    assert litter(folders) == []
    return text


# When all is well


def test_fetch(server, publish, folders):
    publish()
    server.pages["/tiny.pth"] = page(TORCH)
    path = fetch.fetch("tiny")
    assert path == folders[0] / f"tiny-{SHA256[:8]}.safetensors" and litter(folders) == [path.name]
    net = store.load("tiny")
    np.testing.assert_array_equal(net.state_dict()["conv.w"], W)
    assert (net.meta.sha256, net.meta.source) == (SHA256, f"{server.url}/tiny.pth")
    assert native.content_is_whole(path)
    assert fetch.fetch("tiny") == path and len(server.asked) == 1  # nothing is fetched twice


def test_the_whole_sha256_and_a_sha1(server, publish, folders):
    caffe = File(f"{server.url}/tiny.caffemodel", "caffe", sha1=hashlib.sha1(CAFFE).hexdigest())
    publish(File(f"{server.url}/tiny.pth", "torch", sha256=SHA256, sha1=SHA1), caffe)
    server.pages = {"/tiny.pth": page(TORCH), "/tiny.caffemodel": page(CAFFE)}
    assert store.load(fetch.fetch("tiny")).meta.channel_order == "RGB"
    path = fetch.fetch("tiny", format="caffe")
    assert store.load(path).meta.channel_order == "BGR"
    assert fetch.fetch("tiny", "caffe") == path and fetch.fetch("tiny", "torch") != path and len(server.asked) == 2
    with pytest.raises(UsageError, match="in the form of torch and caffe, not keras"):
        fetch.fetch("tiny", "keras")


def test_what_was_imported_by_hand_is_not_fetched(server, publish, source, folders):
    publish()
    path = convert.import_file(source(TORCH, "tiny.pth"), "tiny", folders[0])
    assert fetch.fetch("tiny") == path and server.asked == []


def test_redirects_inside_the_catalogue(server, publish, folders):
    publish()
    server.pages = {
        "/tiny.pth": redirect("/there"),
        "/there": redirect(f"{server.url}/at/last"),
        "/at/last": page(TORCH),
    }
    assert fetch.fetch("tiny").is_file()


def test_mirrors_are_tried_in_order(server, publish, folders):
    urls = [f"{server.url}/{name}" for name in ("tiny.pth", "second", "third", "fourth")]
    publish(File(urls[0], "torch", sha256=SHA256[:8], mirrors=tuple(urls[1:])))
    server.pages = {"/second": page(b"wrong"), "/third": page(TORCH), "/fourth": page(TORCH)}
    fetch.fetch("tiny")
    assert [path for path, _ in server.asked] == ["/tiny.pth", "/second", "/third"]
    assert litter(folders) == [f"tiny-{SHA256[:8]}.safetensors"]


def test_no_length_is_announced(server, publish, folders):
    def chunked(handler):
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.wfile.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(TORCH), TORCH))

    publish()
    server.pages["/tiny.pth"] = chunked
    assert fetch.fetch("tiny").is_file()


# Going on


def beginning(folders, data):
    folders[1].mkdir(parents=True, exist_ok=True)
    (folders[1] / "tiny.pth.part").write_bytes(data)


def test_a_broken_download_goes_on(server, publish, folders):
    publish()
    server.pages["/tiny.pth"] = page(TORCH[:100], declared=len(TORCH))
    with pytest.raises(MissingFileError, match=rf"the connection ended after 100 of {len(TORCH)} bytes"):
        fetch.fetch("tiny")
    assert litter(folders) == ["tiny.pth.part"]  # for the next try
    server.pages["/tiny.pth"] = ranges(TORCH)
    assert fetch.fetch("tiny").is_file() and litter(folders) == [f"tiny-{SHA256[:8]}.safetensors"]
    assert [asked for _, asked in server.asked] == [None, "bytes=100-"]


def test_a_server_that_ignores_ranges(server, publish, folders):
    publish()
    beginning(folders, TORCH[:100])
    server.pages["/tiny.pth"] = page(TORCH)
    assert fetch.fetch("tiny").is_file() and len(server.asked) == 1


def test_a_beginning_that_is_longer_than_the_file(server, publish, folders):
    publish()
    beginning(folders, TORCH + b"more")
    server.pages["/tiny.pth"] = page(TORCH)  # shorter than what is there: the rest is cut off
    assert fetch.fetch("tiny").is_file() and len(server.asked) == 1


@pytest.mark.parametrize("there", [TORCH, TORCH + b"more", b"x" * 100])
def test_a_beginning_that_is_none(server, publish, folders, there):
    """All of it, more than it, or of another file: the server's "no such range", or the hash, shows it."""
    publish()
    beginning(folders, there)
    server.pages["/tiny.pth"] = ranges(TORCH)
    assert fetch.fetch("tiny").is_file()
    assert [asked for _, asked in server.asked] == [f"bytes={len(there)}-", None]


def test_another_range_than_asked_for(server, publish, folders):
    publish()
    beginning(folders, TORCH[:100])
    server.pages["/tiny.pth"] = page(TORCH[10:], status=206, Content_Range=f"bytes 10-{len(TORCH) - 1}/{len(TORCH)}")
    with pytest.raises(MissingFileError, match="asked for the bytes from 100 on and sends those from '10'"):
        fetch.fetch("tiny")


# What goes wrong


@pytest.mark.parametrize(
    "answer, reason",
    [
        (page(b"<html>Log in first</html>", Content_Type="text/html; charset=utf-8"), "the server sends a web page"),
        (page(b"\n<!DOCTYPE html>"), "this is a web page, not weights: a download went wrong; its sha256 is"),
        (page(TORCH[:-1]), rf"{len(TORCH) - 1} bytes; its sha256 is [0-9a-f]{{64}}, expected {SHA256[:8]}"),
        (page(b""), "0 bytes; its sha256 is"),
        (page(bytes(len(TORCH))), "its sha256 is"),
        (page(b"", status=404), "the server says 404 Not Found"),
        (page(b"", status=503), "the server says 503 Service Unavailable"),
        (page(b"", status=403), "the server says 403 Forbidden"),
        (redirect("ftp://127.0.0.1/tiny.pth"), "redirects to ftp://127.0.0.1/tiny.pth, which is not fetched"),
        (redirect("file:///etc/passwd"), "Redirection to url .* is not allowed"),
        (redirect("data:,x"), "Redirection to url .* is not allowed"),
        (redirect("http://example.org/tiny.pth"), "example.org is none of 127.0.0.1:"),
        (redirect("http://127.0.0.1:1/tiny.pth"), "127.0.0.1:1 is none of"),
        (redirect("http://[broken/tiny.pth"), "Invalid IPv6"),
        (redirect("/tiny.pth"), "infinite loop"),
        (lambda handler: time.sleep(2), "no answer within 0.5 seconds"),
        (lambda handler: handler.wfile.write(b"nonsense\r\n\r\n"), "nonsense"),
        (lambda handler: setattr(handler, "close_connection", True), "closed connection"),
    ],
)
def test_answers_that_are_no_file(server, publish, folders, answer, reason):
    publish()
    server.pages["/tiny.pth"] = answer
    failed(folders, reason)


def test_no_server(server, publish, folders):
    publish(File("http://127.0.0.1:1/tiny.pth", "torch", sha256=SHA256[:8]))
    failed(folders, "cannot fetch tiny: http://127.0.0.1:1/tiny.pth: Connection refused")


def test_no_such_host(publish, folders):
    publish(File("http://nowhere.invalid/tiny.pth", "torch", sha256=SHA256[:8]))
    failed(folders, r"http://nowhere\.invalid/tiny.pth: .+")


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/tiny.pth", "file:///tiny.pth"])
def test_only_the_web_is_asked(publish, folders, url):
    publish(File(url, "torch", sha256=SHA256[:8]))
    failed(folders, "its address is not fetched")


def test_never_from_https_back_to_http():
    hosts = {"a.org", "b.org"}
    download._check_target("https://b.org/x", hosts, redirected_from="http://a.org/x")
    with pytest.raises(download.DownloadError, match=r"redirects to http://b.org/x, which is not fetched: http after"):
        download._check_target("http://b.org/x", hosts, redirected_from="https://a.org/x")


def test_more_than_the_file_can_be(server, publish, folders):
    publish(File(f"{server.url}/tiny.pth", "torch", sha256=SHA256[:8], size=len(TORCH)))
    server.pages["/tiny.pth"] = page(b"x", declared=10**10)
    failed(folders, rf"10000000000 bytes, where {len(TORCH)} are expected")

    def endless(handler):
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        with contextlib.suppress(OSError):
            while True:
                handler.wfile.write(b"10000\r\n" + bytes(1 << 16) + b"\r\n")

    server.pages["/tiny.pth"] = endless
    with pytest.raises(MissingFileError, match=r"more than 10.* bytes, and no end"):
        fetch.fetch("tiny")
    assert sum(path.stat().st_size for path in folders[1].iterdir()) == 0


def test_the_old_file_stays(server, publish, folders):
    """A file of another version in the cache is none of fetch's business."""
    publish()
    old = folders[0] / "tiny-00000000.safetensors"
    native.save(old, tiny_zoo.net())
    before = old.read_bytes()
    server.pages["/tiny.pth"] = page(b"wrong")
    with pytest.raises(MissingFileError):
        fetch.fetch("tiny")
    assert old.read_bytes() == before and litter(folders) == [old.name]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_a_disk_that_fails(server, publish, folders, monkeypatch, code):
    publish()
    server.pages["/tiny.pth"] = page(TORCH)

    def fail(file, data):
        file.write(data[:100])
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(download, "_write_all", fail)
    with pytest.raises(OutputError, match=rf"cannot write .*tiny.pth.part: {os.strerror(code)}"):
        fetch.fetch("tiny")
    assert litter(folders) == ([] if code == errno.ENOSPC else ["tiny.pth.part"])


def test_a_disk_that_is_full_when_the_file_is_converted(server, publish, folders, monkeypatch):
    publish()
    server.pages["/tiny.pth"] = page(TORCH)

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="No space left"):
        fetch.fetch("tiny")
    assert litter(folders) == ["tiny.pth"]  # the download was right, and is not made again
    monkeypatch.undo()


def test_a_folder_that_cannot_be_written(server, publish, places, monkeypatch, tmp_path):
    publish()
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MINICNN_CACHE_DIR", str(tmp_path / "file"))
    with pytest.raises(OutputError, match="cannot write in"):
        fetch.fetch("tiny")


def test_weights_that_do_not_fit(server, publish, folders):
    """The right bytes, by their hash, and yet not the net's: the catalogue's mistake, and a clear error."""
    data = b"PK\x03\x04 and no zip"
    publish(File(f"{server.url}/tiny.pth", "torch", sha256=hashlib.sha256(data).hexdigest()))
    server.pages["/tiny.pth"] = page(data)
    with pytest.raises(FormatError, match=r"tiny.pth"):
        fetch.fetch("tiny")


def test_interrupted(server, publish, folders, monkeypatch):
    publish()
    server.pages["/tiny.pth"] = page(TORCH)

    def stop(file, data):
        file.write(data[:100])
        raise KeyboardInterrupt

    monkeypatch.setattr(download, "_write_all", stop)
    with pytest.raises(KeyboardInterrupt):
        fetch.fetch("tiny")
    assert litter(folders) == ["tiny.pth.part"]


# Without a network


def test_offline_says_which_file_to_put_where(server, publish, folders, monkeypatch):
    publish()
    monkeypatch.setenv("MINICNN_OFFLINE", "1")
    text = failed(folders, "MINICNN_OFFLINE forbids downloads")
    assert server.asked == []
    placed = folders[1] / re.search(r"as (\S+),", text)[1]
    placed.write_bytes(TORCH)
    assert store.load(fetch.fetch("tiny")).meta.source == f"{server.url}/tiny.pth"
    assert litter(folders) == sorted([f"tiny-{SHA256[:8]}.safetensors", "tiny.pth"])  # what people placed is theirs


def test_offline_what_is_there_is_there(server, publish, folders, monkeypatch):
    publish()
    server.pages["/tiny.pth"] = page(TORCH)
    path = fetch.fetch("tiny")
    monkeypatch.setenv("MINICNN_OFFLINE", "1")
    assert fetch.fetch("tiny") == path


@pytest.mark.parametrize(
    "data, reason", [(b"<html>", "this is a web page"), (TORCH[:-1], r".*; its sha256 is"), (b"", "0 b")]
)
def test_a_wrong_file_was_placed(server, publish, folders, data, reason):
    publish()
    folders[1].mkdir(parents=True)
    (folders[1] / "tiny.pth").write_bytes(data)
    with pytest.raises(MissingFileError, match=rf"tiny.pth is not the file that it is called: {reason}"):
        fetch.fetch("tiny")
    assert (folders[1] / "tiny.pth").read_bytes() == data and server.asked == []


def test_nets_without_published_weights(publish, monkeypatch):
    entry = replace(publish(), files=())
    monkeypatch.setattr(minicnn.zoo, "_entries", lambda: {"tiny": entry})
    with pytest.raises(MissingFileError, match="no published weights of tiny are known: free"):
        fetch.fetch("tiny")
    with pytest.raises(UnknownNameError, match="did you mean tiny"):
        fetch.fetch("tini")


# Several at once


def _fetch(files, results):
    minicnn.zoo._entries = lambda: {"tiny": tiny_zoo.entry(files)}
    try:
        results.put(str(fetch.fetch("tiny", progress=False)))
    except BaseException as error:
        results.put(repr(error))
        raise


def test_two_processes_at_once(server, publish, folders):
    def slow(handler):
        time.sleep(0.2)
        handler.say(TORCH)

    (file,) = publish().files
    server.pages["/tiny.pth"] = slow
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    processes = [context.Process(target=_fetch, args=((file,), results)) for _ in range(3)]
    for process in processes:
        process.start()
    found = {results.get(timeout=120) for _ in processes}
    for process in processes:
        process.join()
    assert found == {str(folders[0] / f"tiny-{SHA256[:8]}.safetensors")}
    assert len(server.asked) == 1  # the others waited
    assert litter(folders) == [f"tiny-{SHA256[:8]}.safetensors"]


def _hold(path, taken, release):
    with lock(path):
        taken.set()
        release.wait(60)


def test_a_lock_of_a_process_that_was_killed_is_free(tmp_path):
    context = multiprocessing.get_context("fork")
    taken, release, waited = context.Event(), context.Event(), []
    holder = context.Process(target=_hold, args=(tmp_path / "lock", taken, release))
    holder.start()
    assert taken.wait(60)

    def on_wait():
        waited.append(1)
        holder.kill()

    with lock(tmp_path / "lock", on_wait):
        assert waited == [1] and (tmp_path / "lock").exists()
    holder.join()
    assert not any(tmp_path.iterdir())


def test_a_lock_whose_file_is_gone_is_none(tmp_path, monkeypatch):
    """Who waited for it gets the old file, which others no longer see: it has to take the new one."""
    take, taken = lock_module._take, []

    def slow(handle, on_wait):
        take(handle, on_wait)
        if not taken:
            (tmp_path / "lock").unlink()  # as the one before does when it is done
        taken.append(handle)

    monkeypatch.setattr(lock_module, "_take", slow)
    with lock(tmp_path / "lock"):
        assert len(taken) == 2 and (tmp_path / "lock").exists()
    assert not any(tmp_path.iterdir())


def test_a_lock_is_taken_by_one_thread_at_a_time(tmp_path):
    inside, most = [], []

    def work():
        for _ in range(20):
            with lock(tmp_path / "lock"):
                inside.append(1)
                most.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(most) == 80 and max(most) == 1 and not any(tmp_path.iterdir())


# The catalogue's own facts


def test_a_file_of_torchvisions():
    file = torchvision_file("vgg16-397923af.pth", 527.796, 71.592)
    assert file.url == "https://download.pytorch.org/models/vgg16-397923af.pth"
    assert (file.name, file.sha256, file.hash) == ("vgg16-397923af.pth", "397923af", "sha256 397923af...")
    assert file.size == 553434218 and file.accepts("397923af" + "0" * 56, "") and not file.accepts("397923a0", "")
    assert not File("http://a/b", "torch").accepts("0" * 64, "0" * 40)
