"""One official operation alone, on inputs and variables of any size."""

from collections.abc import Mapping, Sequence

import numpy as np

from tf_reference.compat import tensorflow
from tf_reference.graph import ReferenceGraph, operation_of
from tf_reference.layers import IMAGES


def compute(
    graph: ReferenceGraph, layer: str, inputs: Sequence[np.ndarray], variables: Mapping[str, np.ndarray]
) -> np.ndarray:
    """Return the output (NHWC) of a layer of `graph` alone, on `inputs` (NHWC), one for each of its `Layer.inputs`.

    `variables` are those that it takes, by name, in TensorFlow's layouts. Heights, widths and channels need not be the
    network's; they have to fit each other.
    """
    tf = tensorflow()
    v1 = tf.compat.v1
    official = graph.layers[layer]
    part = v1.graph_util.extract_sub_graph(graph.graph_def, [operation_of(official.tensor)])
    with tf.Graph().as_default() as imported:
        placeholders = {}
        feed = {}
        for name, array in zip(official.inputs, inputs, strict=True):
            tensor = f"{IMAGES}:0" if name == IMAGES else graph.layers[name].tensor
            placeholders[tensor] = v1.placeholder(graph.spec.dtype)
            feed[placeholders[tensor]] = array
        for node in part.node:
            if node.op == "ReadVariableOp" and node.input[0] in variables:
                placeholder = v1.placeholder(graph.spec.dtype)
                placeholders[f"{node.name}:0"] = placeholder
                feed[placeholder] = variables[node.input[0]]
        (output,) = v1.import_graph_def(part, input_map=placeholders, return_elements=[official.tensor], name="")
    with v1.Session(graph=imported) as session:
        value: np.ndarray = session.run(output, feed)
    return value
