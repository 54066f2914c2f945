"""Implementations of PNASNet-5 Large with the same weights, for benchmarks/speed.py.

Each is a function of the folder that `prepare` filled, and gives a function without arguments: one forward of the image
there, to logits (1, 1001) up to a constant. What a contender imports beyond the project need not be installed.
"""

import importlib
import os
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

Forward = Callable[[], np.ndarray]

THREADS = 2
SIDE = 331
PREDICTIONS = "final_layer.predictions"
# A square matrix product of this size, so many times, is about as much work as the network.
PRODUCT, PRODUCTS = 2048, 3
# The known port is a checkout: it does not install.
KNOWN_PORT = "PNASNET_PYTORCH"
WEIGHTS, IMAGE, FROZEN, ONNX = "weights.safetensors", "image.npy", "frozen.pb", "port.onnx"


def prepare(folder: Path) -> None:
    """Writes the image (NHWC), the weights, the official graph with the weights as constants, and the port as ONNX."""
    from parity.core.layers import Network
    from parity.core.specification import DEFAULT_IMAGES, PHOTOGRAPHS, Specification
    from parity.gates.context import NetworkContext
    from parity.reference.live import LiveReference
    from pnasnet_torch import save_weights, variant
    from pnasnet_torch.weights import from_tf_variables

    network, photograph = Network("large", SIDE, SIDE), PHOTOGRAPHS / DEFAULT_IMAGES[0]
    specification = Specification((network,), None, (photograph,), ("official",), 0, THREADS)
    context = NetworkContext(network, LiveReference(specification))
    np.save(folder / IMAGE, context.images())
    save_weights(from_tf_variables(variant("large").config, context.variables()), folder / WEIGHTS)
    (folder / FROZEN).write_bytes(_frozen(context.graph("float32"), context.variables()).SerializeToString())


def _frozen(graph: Any, variables: Mapping[str, np.ndarray]) -> Any:
    """The official graph up to its predictions, its variables constants, so that TensorFlow may fold them."""
    from tf_reference.compat import tensorflow

    tf = tensorflow()
    part, output = tf.compat.v1.graph_util.extract_sub_graph, [graph.layers[PREDICTIONS].tensor.partition(":")[0]]
    graph_def = part(graph.graph_def, output)
    for node in graph_def.node:
        if node.op == "ReadVariableOp":
            value = tf.make_tensor_proto(variables[node.input[0]])
            node.CopyFrom(tf.compat.v1.NodeDef(name=node.name, op="Const"))
            node.attr["dtype"].type = value.dtype
            node.attr["value"].tensor.CopyFrom(value)
    return part(graph_def, output)


def export(folder: Path) -> None:
    """Writes the port as ONNX. Needs onnx and onnxscript."""
    torch = importlib.import_module("torch")
    torch.onnx.export(
        _port(folder), (_image(folder),), folder / ONNX, dynamo=True, input_names=["images"], verbose=False
    )


def _image(folder: Path, channels_last: bool = False) -> Any:
    import torch

    image = torch.from_numpy(np.load(folder / IMAGE)).permute(0, 3, 1, 2)
    return image.contiguous(memory_format=torch.channels_last if channels_last else torch.contiguous_format)


def _port(folder: Path) -> Any:
    from pnasnet_torch import from_pretrained

    return from_pretrained(folder / WEIGHTS).model


def _by_torch(make: Callable[[Path], Any], folder: Path, channels_last: bool = False) -> Forward:
    import torch

    torch.set_num_threads(THREADS)
    model, image = make(folder), _image(folder, channels_last)
    if channels_last and hasattr(model, "to"):
        model.to(memory_format=torch.channels_last)

    def forward() -> np.ndarray:
        with torch.inference_mode():
            output = model(image)
        logits: np.ndarray = (output[0] if isinstance(output, tuple) else output).numpy()
        return logits

    return forward


def _inference_form(folder: Path) -> Any:
    from pnasnet_torch.inference import inference_form

    return inference_form(_port(folder))


def _filled(model: Any, folder: Path) -> Any:
    """`model` with the port's weights: all known ports register their modules in the port's order."""
    import torch

    own = {name: tensor for name, tensor in model.state_dict().items() if not name.endswith("num_batches_tracked")}
    with torch.no_grad():
        for theirs, ours in zip(own.values(), _port(folder).state_dict().values(), strict=True):
            if theirs.shape != ours.shape:
                raise ValueError(f"its weights are in another order: {theirs.shape} where {ours.shape} was expected")
            theirs.copy_(ours)
    return model.eval()


def _timm(folder: Path) -> Any:
    return _filled(importlib.import_module("timm").create_model("pnasnet5large", num_classes=1001), folder)


def _pretrainedmodels(folder: Path) -> Any:
    module = importlib.import_module("pretrainedmodels")
    return _filled(module.pnasnet5large(num_classes=1001, pretrained=None), folder)


def _pytorchcv(folder: Path) -> Any:
    module = importlib.import_module("pytorchcv.models.pnasnet")
    return _filled(module.pnasnet5large(num_classes=1001), folder)


def _known_port(folder: Path) -> Any:
    if KNOWN_PORT not in os.environ:
        raise ImportError(f"{KNOWN_PORT} names no checkout of chenxi116/PNASNet.pytorch")
    sys.path.insert(0, os.environ[KNOWN_PORT])
    module, genotypes = importlib.import_module("model"), importlib.import_module("genotypes")
    setattr(module, "xrange", range)  # noqa: B010 - it is Python 2
    model = module.NetworkImageNet(216, 1001, 12, False, genotypes.PNASNet)
    model.drop_path_prob = 0
    return _filled(model, folder)


def _compiled(folder: Path) -> Forward:
    import torch
    import torch._inductor.config

    torch._inductor.config.freezing = True
    torch.set_num_threads(THREADS)
    model: Any = torch.compile(_port(folder))
    image = _image(folder)

    def forward() -> np.ndarray:
        with torch.no_grad():
            logits: np.ndarray = model(image).numpy()
        return logits

    return forward


def _tensorflow(folder: Path) -> Forward:
    from parity.core.layers import Network
    from parity.core.specification import Specification
    from parity.reference.live import LiveReference
    from tf_reference.run import OfficialRun

    network = Network("large", SIDE, SIDE)
    source = LiveReference(Specification((network,), None, (), ("official",), 0, THREADS))
    graph = source.graph(network, "float32")
    reference, image = OfficialRun(graph, [PREDICTIONS], THREADS), np.load(folder / IMAGE)
    reference.assign(source.variables(network, graph))
    return lambda: np.log(reference.run(image)[PREDICTIONS])


def _tensorflow_optimised(folder: Path) -> Forward:
    os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1"
    v1 = importlib.import_module("tensorflow").compat.v1
    graph_def = v1.GraphDef.FromString((folder / FROZEN).read_bytes())
    with v1.Graph().as_default() as graph:
        v1.import_graph_def(graph_def, name="")
    config = v1.ConfigProto(intra_op_parallelism_threads=THREADS, inter_op_parallelism_threads=THREADS)
    session, image = v1.Session(graph=graph, config=config), np.load(folder / IMAGE)
    return lambda: np.log(session.run("final_layer/predictions:0", {"images:0": image}))


def _onnx_runtime(folder: Path) -> Forward:
    runtime = importlib.import_module("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = THREADS
    session = runtime.InferenceSession(folder / ONNX, options, providers=["CPUExecutionProvider"])
    images = {"images": _image(folder).numpy()}
    return lambda: session.run(None, images)[0]


def _openvino(folder: Path) -> Forward:
    core = importlib.import_module("openvino").Core()
    settings = {"INFERENCE_NUM_THREADS": THREADS, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    request = core.compile_model(core.read_model(folder / ONNX), "CPU", settings).create_infer_request()
    image = _image(folder).numpy()
    return lambda: request.infer([image])[0]


def product(_folder: Path) -> Forward:
    """The machine's limit: plain float32 matrix products."""
    import torch

    torch.set_num_threads(THREADS)
    left, right = torch.rand(2, PRODUCT, PRODUCT)
    result = torch.empty(PRODUCT, PRODUCT)

    def multiply() -> np.ndarray:
        for _ in range(PRODUCTS):
            torch.mm(left, right, out=result)
        return result.numpy()

    return multiply


PORT, FORM = "port", "inference form"
LIMIT = f"matrix product {PRODUCT}^3"
EAGER: dict[str, Callable[[Path], Forward]] = {
    PORT: partial(_by_torch, _port),
    "port, channels_last": partial(_by_torch, _port, channels_last=True),
    "timm": partial(_by_torch, _timm),
    "timm, channels_last": partial(_by_torch, _timm, channels_last=True),
    "pretrainedmodels": partial(_by_torch, _pretrainedmodels),
    "pretrainedmodels, channels_last": partial(_by_torch, _pretrainedmodels, channels_last=True),
    "pytorchcv": partial(_by_torch, _pytorchcv),
    "pytorchcv, channels_last": partial(_by_torch, _pytorchcv, channels_last=True),
    "known port": partial(_by_torch, _known_port),
    "known port, channels_last": partial(_by_torch, _known_port, channels_last=True),
}
COMPILED: dict[str, Callable[[Path], Forward]] = {
    "TensorFlow, as the reference runs it": _tensorflow,
    "TensorFlow, frozen, optimised, oneDNN": _tensorflow_optimised,
    "ONNX Runtime": _onnx_runtime,
    "OpenVINO": _openvino,
    "torch.compile, frozen": _compiled,
}
# The port comes first: its logits are what the others must give.
CONTENDERS: dict[str, Callable[[Path], Forward]] = {
    LIMIT: product,
    **EAGER,
    FORM: partial(_by_torch, _inference_form, channels_last=True),
    **COMPILED,
}
