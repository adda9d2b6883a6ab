"""A weight file that somebody publishes."""

from dataclasses import dataclass
from urllib.parse import unquote, urlsplit


@dataclass(frozen=True)
class File:
    """Where one file of weights is, and how to know that it is the right one.

    url      http or https; its last part is the file's name
    format   "torch" or "caffe": whose names its tensors carry, and whose preprocessing its images want
    sha256   of the file: 64 hex digits, or the first 8
    sha1     of the file: 40 hex digits; one of the two is there
    size     in bytes, about; None where it is unknown
    mirrors  other URLs of the same bytes, tried in this order
    top1     the published part of right answers in per cent, on one crop from the middle of each image of the
             validation set (of CIFAR-10: the test set); None where there is none
    """

    url: str
    format: str
    sha256: str = ""
    sha1: str = ""
    size: int | None = None
    mirrors: tuple = ()
    top1: float | None = None

    @property
    def name(self):
        """What the file is called."""
        return unquote(urlsplit(self.url).path.rpartition("/")[2])

    @property
    def urls(self):
        return (self.url, *self.mirrors)

    @property
    def hash(self):
        """What is known of its hash, as people write it: "sha256 7be5be79..."."""
        if not self.sha256:
            return f"sha1 {self.sha1}"
        return f"sha256 {self.sha256}" + ("..." if len(self.sha256) < 64 else "")

    def accepts(self, sha256, sha1):
        """Whether a file with these hashes is this one."""
        return sha256.startswith(self.sha256) and self.sha1 in ("", sha1) and bool(self.sha256 or self.sha1)


def torchvision_file(name, megabytes, top1):
    """A file of torchvision's, which has the first eight digits of its sha256 in its name.

    megabytes, top1  as torchvision's own tables have them (_file_size in MiB, acc@1 of IMAGENET1K_V1)
    """
    digits = name.rpartition("-")[2].partition(".")[0]
    size = round(megabytes * 2**20)
    return File(f"https://download.pytorch.org/models/{name}", "torch", sha256=digits, size=size, top1=top1)


def caffe_file(url, sha1, megabytes, top1=None, mirrors=()):
    """A file that Caffe's model zoo lists by its sha1; megabytes: MiB."""
    return File(url, "caffe", sha1=sha1, size=round(megabytes * 2**20), mirrors=mirrors, top1=top1)


def bvlc_file(name, sha1, megabytes, top1):
    """A file of the Caffe authors' (BVLC/caffe, models/*/readme.md, which has sha1 and top1)."""
    return caffe_file(f"http://dl.caffe.berkeleyvision.org/{name}", sha1, megabytes, top1)
