"""PyTorch's side of `cargo xtask bench deep`: `torch_peer.py NETWORK TASK LAYOUT FOLDER`.

Writes the network's first weights to `weights.safetensors` in FOLDER, under translearn's names, and reads `images.npy` and
`labels.npy` there; then it answers one request a line, as the example `beside_pytorch` of translearn-deep does. Eager PyTorch as
its documentation has it: `inference_mode` for features, `zero_grad`, loss, `backward` and `step` for fine-tuning, rectifiers in
place as torchvision builds them, `torch.optim.SGD` with no choice among its implementations.
"""

import json
import os
import sys
import time
from collections import OrderedDict
from pathlib import Path

# Answers go to the real standard output; whatever a library prints goes to standard error.
ANSWERS = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)

import numpy as np  # noqa: E402
import torch  # noqa: E402
import torchvision  # noqa: E402
from safetensors.torch import save_file  # noqa: E402
from torch import nn  # noqa: E402

RATE, MOMENTUM = 0.01, 0.9
ALPHA = 0.25
# Channels and step of the blocks of MobileNet.
BLOCKS = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)] + [(512, 1)] * 5 + [(1024, 2), (1024, 1)]


def mobilenet_v1(n_classes):
    """MobileNet v1 as Keras has it: where the step is 2, a row below and a column to the right are added."""
    layers = OrderedDict()

    def convolution(name, channels_in, channels, kernel, stride, groups=1):
        if stride == 2:
            layers[f"{name}_pad"] = nn.ZeroPad2d((0, 1, 0, 1))
        padding = kernel // 2 if stride == 1 else 0
        layers[name] = nn.Conv2d(channels_in, channels, kernel, stride, padding, groups=groups, bias=False)
        layers[f"{name}_bn"] = nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)
        layers[f"{name}_relu"] = nn.ReLU6(inplace=True)

    channels = int(32 * ALPHA)
    convolution("conv1", 3, channels, 3, 2)
    for k, (width, stride) in enumerate(BLOCKS, 1):
        wider = int(width * ALPHA)
        convolution(f"conv_dw_{k}", channels, channels, 3, stride, groups=channels)
        convolution(f"conv_pw_{k}", channels, wider, 1, 1)
        channels = wider
    layers["global_pool"] = nn.AdaptiveAvgPool2d(1)
    layers["flatten"] = nn.Flatten()
    layers["dropout"] = nn.Dropout(1e-3)
    layers["conv_preds"] = nn.Linear(channels, n_classes)
    return nn.Sequential(layers)


KERAS = {"running_mean": "moving_mean", "running_var": "moving_variance"}


def keras_name(name):
    layer, tensor = name.split(".")
    if layer.endswith("_bn"):
        return f"{layer}.{KERAS.get(tensor) or {'weight': 'gamma', 'bias': 'beta'}[tensor]}"
    kernel = "depthwise_kernel" if "_dw_" in layer else "kernel"
    return f"{layer}.{kernel if tensor == 'weight' else tensor}"


def build(network, n_classes):
    """The network, its head's name, and its tensors under translearn's names."""
    if network == "mobilenet-v1-0.25":
        model, head = mobilenet_v1(n_classes), "conv_preds"
    else:
        model, head = getattr(torchvision.models, network)(num_classes=n_classes), "fc"
    tensors = {name: t for name, t in model.state_dict().items() if not name.endswith("num_batches_tracked")}
    if head == "conv_preds":
        # Stored as a convolution of one pixel.
        tensors["conv_preds.weight"] = tensors["conv_preds.weight"][:, :, None, None]
        tensors = {keras_name(name): t for name, t in tensors.items()}
    return model, head, tensors


class Extract:
    def __init__(self, model, head, images, _):
        setattr(model, head, nn.Identity())
        self.model, self.images, self.features = model.eval(), images, None

    def run(self):
        self.features = None
        start = time.perf_counter()
        with torch.inference_mode():
            features = self.model(self.images)
        seconds = time.perf_counter() - start
        self.features = features
        return seconds

    def outputs(self):
        return "features", self.features.double().numpy()


class FineTune:
    def __init__(self, model, _, images, labels):
        self.model, self.images, self.labels = model.train(), images, labels
        self.optimizer = torch.optim.SGD(model.parameters(), lr=RATE, momentum=MOMENTUM)
        self.losses = []

    def run(self):
        start = time.perf_counter()
        self.optimizer.zero_grad()
        loss = nn.functional.cross_entropy(self.model(self.images), self.labels)
        loss.backward()
        self.optimizer.step()
        seconds = time.perf_counter() - start
        self.losses.append(loss.item())
        return seconds

    def outputs(self):
        return "losses", np.array(self.losses)[:, None]


def serve(case, request):
    if "save" in request:
        name, outputs = case.outputs()
        np.save(f"{request['save']}{name}.npy", outputs)
        return {"saved": request["save"]}
    return {"seconds": case.run()}


def main():
    network, task, layout, folder = sys.argv[1:]
    folder = Path(folder)
    images = torch.from_numpy(np.load(folder / "images.npy"))
    labels = torch.from_numpy(np.load(folder / "labels.npy"))
    torch.manual_seed(0)
    model, head, tensors = build(network, int(labels.max()) + 1)
    save_file({name: t.contiguous() for name, t in tensors.items()}, folder / "weights.safetensors")
    if layout == "channels-last":
        images = images.to(memory_format=torch.channels_last)
        model = model.to(memory_format=torch.channels_last)
    case = {"extract": Extract, "finetune": FineTune}[task](model, head, images, labels)
    print(json.dumps({"ready": torch.__version__}), file=ANSWERS, flush=True)
    for line in sys.stdin:
        try:
            answer = serve(case, json.loads(line))
        except Exception as error:  # the driver reports it
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=ANSWERS, flush=True)


if __name__ == "__main__":
    main()
