"""The pixels that enter the network: the port's and the official ones, from the same files."""

from collections.abc import Iterable

from parity.core import compare
from parity.core.layers import Network
from parity.core.result import LayerResult
from parity.reference.interface import Reference
from pnasnet_torch.decode import ImageError, decode
from pnasnet_torch.preprocess import preprocess


def judge(reference: Reference, network: Network, names: Iterable[str]) -> dict[str, LayerResult]:
    """Return the *preprocess* gate's result on each of the images `names`, by name.

    The decoded image and the network's input are compared bit by bit. Raises InputError where TensorFlow cannot read an
    image.
    """
    results = {}
    for name in names:
        official = reference.preprocessed(network, name)
        try:
            decoded = decode(official.content)
        except ImageError as error:
            problem = f"the port refuses an image that TensorFlow takes: {name} {error}"
            results[name] = LayerResult("preprocess", str(network), name, problem=problem)
            continue
        pixels_nhwc = preprocess(decoded, network.height, network.width)[None]
        actual = (decoded, pixels_nhwc)
        expected = (official.decoded, official.pixels)
        results[name] = compare.preprocess(str(network), name, actual, expected)
    return results
