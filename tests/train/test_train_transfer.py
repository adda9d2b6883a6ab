"""Transfer: a real net's features stay as they are, a new head learns classes that the net has never had."""

import numpy as np
import pytest

import minicnn
from minicnn.train.evaluate import evaluate
from minicnn.train.loader import Arrays, Loader
from minicnn.train.optimisers import Momentum
from minicnn.train.schedules import Constant
from minicnn.train.trainer import Trainer
from minicnn.vis.image import preprocess, read_image


def _photos(data_dir):
    """(x, labels) of 40 raccoons and as many other photos, preprocessed as SqueezeNet's."""
    net = minicnn.load(data_dir / "weights" / "squeezenet1_1.pth", arch="squeezenet1_1")
    raccoons = sorted((data_dir / "boxes" / "raccoon").rglob("*.jpg"))[:40]
    others = sorted((data_dir / "images" / "imagenet").iterdir())[::2][:40]
    x = np.concatenate([preprocess(read_image(path), net.meta) for path in (*raccoons, *others)])
    return net, x, np.repeat([1, 0], [len(raccoons), len(others)])


@pytest.mark.data
def test_a_new_head_learns_raccoons(data_dir):
    base, x, labels = _photos(data_dir)
    assert len(x) == 80
    net = base.replace_head(("other", "raccoon"), seed=0)
    train = np.arange(80) % 2 == 0
    batches = [Loader(Arrays(x[part], labels[part]), 10, seed=0, shuffle=part is train) for part in (train, ~train)]
    before = evaluate(net, batches[1])
    frozen = [node.name for node in net.nodes if node.name != "conv10"]
    trainer = Trainer(net, batches[0], Momentum(decay=0.0), Constant(1e-3), epochs=10, frozen=frozen, progress=False)
    trainer.run()
    batches[1].epoch = batches[1].index = 0
    after = evaluate(net, batches[1])
    assert before.accuracy < 0.8 and after.accuracy >= 0.85 and after.loss < 0.5 * before.loss
    for key, array in net.state_dict().items():
        if not key.startswith("conv10."):
            np.testing.assert_array_equal(array, base.state_dict()[key])
