"""The pixels that enter the network: the port's and the official ones, from the same files."""

from collections.abc import Iterable

from parity.core import compare
from parity.core.layers import Network
from parity.core.result import LayerResult
from parity.reference.interface import Reference
from pnasnet_torch.decode import ImageError, decode
from pnasnet_torch.preprocess import preprocess


def judge(reference: Reference, network: Network, names: Iterable[str]) -> dict[str, LayerResult]:
    """The *preprocess* gate's verdict on each image, by name. Raises InputError where TensorFlow cannot read one."""
    results = {}
    for name in names:
        content, *expected = reference.preprocessed(network, name)
        try:
            decoded = decode(content)
        except ImageError as error:
            problem = f"the port refuses an image that TensorFlow takes: {name} {error}"
            results[name] = LayerResult("preprocess", str(network), name, problem=problem)
            continue
        actual = decoded, preprocess(decoded, network.height, network.width)[None]
        results[name] = compare.preprocess(str(network), name, actual, (expected[0], expected[1]))
    return results
