"""Where both networks meet. `pytest parity` is the product."""

import os

# Read once, when a framework is imported. oneDNN's kernels would depend on the CPU. The threads of torch would spin
# while they wait for each other, which beside another busy process makes it 10 times slower.
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
