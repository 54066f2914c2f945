"""The pixels that enter the network: the port's and the official ones, from the same files."""

from collections.abc import Mapping
from pathlib import Path

from parity import compare
from parity.layers import Network
from parity.result import LayerResult
from pnasnet_torch.decode import ImageError, decode
from pnasnet_torch.preprocess import preprocess
from tf_reference.official import Source
from tf_reference.preprocess import decode_image, load_images


def judge(source: Source, network: Network, images: Mapping[str, Path]) -> dict[str, LayerResult]:
    """The *preprocess* gate's verdict on each image, by name. Raises InputError where TensorFlow cannot read one."""
    results = {}
    for name, path in images.items():
        expected = decode_image(path), load_images(source, [path], network.height, network.width)
        try:
            decoded = decode(path.read_bytes())
        except ImageError as error:
            problem = f"the port refuses an image that TensorFlow takes: {path} {error}"
            results[name] = LayerResult("preprocess", str(network), name, problem=problem)
            continue
        actual = decoded, preprocess(decoded, network.height, network.width)[None]
        results[name] = compare.preprocess(str(network), name, actual, expected)
    return results
