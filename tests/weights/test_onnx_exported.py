"""A net that PyTorch's exporter wrote, under several opsets, computes what it does in PyTorch."""

import numpy as np
import pytest

from minicnn import Net
from minicnn.weights import onnx as reader

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")  # its exporter needs it
pytestmark = pytest.mark.oracle


class Twin(torch.nn.Module):
    """A little of everything; the padding is what the exporter writes as a chain of integers."""

    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.bn = torch.nn.BatchNorm2d(8)
        self.grouped = torch.nn.Conv2d(8, 8, 3, padding=1, groups=2, bias=False)
        self.slopes = torch.nn.PReLU(8)
        self.up = torch.nn.ConvTranspose2d(8, 6, 4, stride=2, padding=1)
        self.drop, self.fc = torch.nn.Dropout(), torch.nn.Linear(6 * 4, 5)

    def forward(self, x):
        F = torch.nn.functional
        x = F.relu6(self.bn(self.conv(x)))
        x = x + self.slopes(self.grouped(x))
        x = F.max_pool2d(F.elu(self.up(x)), 2, ceil_mode=True)
        x = F.pad(x, (1, 1, 0, 1), mode="reflect")
        x = x.mean(dim=1, keepdim=True) * x - 0.5 * x
        x = F.avg_pool2d(x, (4, 5))
        return F.log_softmax(self.fc(self.drop(torch.flatten(x, 1))), dim=1)


@pytest.mark.filterwarnings("ignore")  # the exporter is the old one
@pytest.mark.parametrize("open_batch", [False, True])
@pytest.mark.parametrize("opset", [9, 11, 13, 18])
def test_an_exported_net(opset, open_batch, tmp_path):
    torch.manual_seed(0)
    twin, x, path = Twin().eval(), torch.randn(3, 3, 16, 16), str(tmp_path / "net.onnx")
    axes = {"x": {0: "N"}} if open_batch else None
    torch.onnx.export(twin, (x,), path, opset_version=opset, input_names=["x"], dynamic_axes=axes, dynamo=False)
    checkpoint = reader.read(path)
    net = Net(checkpoint.graph.nodes, checkpoint.graph.input)
    net.load_state_dict(checkpoint.tensors)
    for image in (x, x[:1]):
        theirs = twin(image).detach().numpy()
        assert np.abs(net(image.numpy()) - theirs).max() < 1e-5 * np.abs(theirs).max()
    assert {"conv/Conv", "fc/Gemm"} <= {n.name for n in net.nodes}
